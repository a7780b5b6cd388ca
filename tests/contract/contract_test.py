#!/usr/bin/env python3
"""Holds openapi.yaml and the code together, in both directions.

    contract_test.py DUMP_CONTRACT OPENAPI_YAML

DUMP_CONTRACT prints the routes, field tables, states and problems that are compiled in, and decodes
example requests as the service does.
"""
import json
import pathlib
import re
import subprocess
import sys
import unittest

import yaml

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import contract  # noqa: E402

DUMP, OPENAPI = sys.argv[1], pathlib.Path(sys.argv[2])
API = contract.parse(OPENAPI.read_text())
CODE = json.loads(subprocess.run([DUMP], check=True, capture_output=True).stdout)
SCHEMAS = API["components"]["schemas"]
METHODS = {"get", "post", "put", "patch", "delete"}

# Members of a schema that are lists of any length or files, which no field table describes.
BESIDE_TABLE = {"Model": {"class_names", "spec"}, "Dataset": {"class_names", "mean", "deviation"},
                "PredictRequest": {"images"}, "Upload": {"files"},
                "Evaluation": {"classes", "confusions", "bins", "worst", "confusion", "model",
                               "dataset", "split"},
                "ClassScore": {"label"}, "Confusion": {"label", "predicted"},
                "WorstPicture": {"label", "predicted", "height", "width", "image"}}
# Members that an answer has only if they are asked for.
WHEN_ASKED = {"Evaluation": {"confusion"}, "WorstPicture": {"height", "width", "image"}}
REQUESTS = {"TrainSpec", "JobEdit", "DatasetRequest", "PredictRequest", "AliasRequest",
            "WebhookRequest", "KeyRequest", "KeyEdit", "UploadRequest"}
JSON_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "text": "string",
              "enum": "string", "ints": "array", "texts": "array"}


def decode(kind, body):
    """What the service makes of a request: the object with defaults, or problem details."""
    text = json.dumps(body).encode()
    return json.loads(subprocess.run([DUMP, kind], input=text, check=True,
                                     capture_output=True).stdout)


def operations():
    for path, item in API["paths"].items():
        for method in METHODS & item.keys():
            yield method.upper(), path, item[method], item


def resolve(ref):
    node = API
    for part in ref.removeprefix("#/").split("/"):
        node = node[part]
    return node


def resolve_in(node):
    return resolve(node["$ref"]) if "$ref" in node else node


def all_refs(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from all_refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from all_refs(value)


def rows_of(table):
    return [row for row in CODE["tables"][table] if not row["cli"] and not row["hidden"]]


def has_method(row, method):
    """Does a job of the method have the field?"""
    methods = CODE["tables"]["TrainSpec"][0]["choices"]
    return not row["variants"] or bool(row["variants"] >> methods.index(method) & 1)


def bounds_of(row):
    """minimum and maximum of a number, or minLength and maxLength of a text, as in a schema."""
    if row["type"] in ("text", "texts"):
        return {"minLength": int(row["min"]) or None, "maxLength": int(row["max"])}
    return {"exclusiveMinimum" if row["min_open"] else "minimum": row["min"],
            "exclusiveMaximum" if row["max_open"] else "maximum": row["max"]}


def default_of(row):
    text, kind = row["default"], row["type"]
    if row["required"]:
        return None
    if kind == "texts" or kind == "ints":
        return [int(item) if kind == "ints" else item for item in text.split(",") if item]
    if not text:
        return None
    if kind == "bool":
        return text == "true"
    return float(text) if kind in ("int", "float") else text


class Routes(unittest.TestCase):
    def test_are_the_same(self):
        code = {(r["method"], r["path"], r["handler"], r["doc"]) for r in CODE["routes"]}
        spec = {(m, p, op["operationId"], op["summary"]) for m, p, op, _ in operations()}
        self.assertEqual(code, spec)

    def test_ask_for_the_same_roles(self):
        roles = {row["handler"]: row["role"] for row in CODE["routes"]}
        schemes = list(API["components"]["securitySchemes"])
        for method, path, operation, _ in operations():
            role = roles[operation["operationId"]]
            wanted = [] if role == "none" else [{scheme: [role]} for scheme in schemes]
            self.assertEqual(operation["security"], wanted, f"{method} {path}")
            for code in ("401", "403"):
                self.assertEqual(code in operation["responses"], role != "none", (path, code))
        self.assertEqual(set(roles.values()), {"none", *SCHEMAS["Role"]["enum"]})

    def test_declare_their_path_parameters(self):
        for _, path, operation, item in operations():
            given = item.get("parameters", []) + operation.get("parameters", [])
            given = [resolve(p["$ref"]) if "$ref" in p else p for p in given]
            names = {p["name"] for p in given if p["in"] == "path"}
            self.assertEqual(names, set(re.findall(r"{(\w+)}", path)), path)
            for parameter in given:
                self.assertIn("schema", parameter)
                self.assertTrue(parameter["description"])


    def test_take_the_same_query(self):
        for _, path, operation, item in operations():
            route = operation["operationId"]
            given = item.get("parameters", []) + operation.get("parameters", [])
            given = [resolve(p["$ref"]) if "$ref" in p else p for p in given]
            given = {p["name"]: resolve_in(p["schema"]) for p in given if p["in"] == "query"}
            rows = {row["name"]: row for row in CODE["params"] if row["route"] == route}
            if route == "model_create":  # reads it by a table, see below
                continue
            self.assertEqual(rows.keys(), given.keys(), route)
            for name, row in rows.items():
                with self.subTest(route=route, parameter=name):
                    self.check_parameter(row, given[name])

    def check_parameter(self, row, schema):
        kind, usual, words = row["type"], row["usual"], row["words"]
        if kind == "int":
            self.assertEqual(schema["type"], "integer")
            self.assertEqual((schema["minimum"], schema["maximum"]), (row["min"], row["max"]))
            default = usual if row["min"] <= usual <= row["max"] else None
        elif kind == "bool":
            self.assertEqual(schema["type"], "boolean")
            default = bool(usual)
        elif kind == "word":
            self.assertEqual(sorted(schema["enum"]), sorted(words))
            default = words[usual] if 0 <= usual < len(words) else None
        if kind != "text":
            self.assertEqual(schema.get("default"), default)


class Fields(unittest.TestCase):
    def test_of_every_table_are_the_same(self):
        for table in CODE["tables"]:
            names = [row["name"] for row in rows_of(table)]
            beside = BESIDE_TABLE.get(table, set())
            self.assertEqual(set(names) | beside, SCHEMAS[table]["properties"].keys(), table)
            for row in rows_of(table):
                with self.subTest(table=table, field=row["name"]):
                    self.check(row, SCHEMAS[table]["properties"][row["name"]], table in REQUESTS)

    def check(self, row, schema, is_request):
        kind = row["type"]
        nullable = kind in ("float", "text") and not row["default"] and not row["required"]
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        self.assertEqual(types, [JSON_TYPES[kind]] + (["null"] if nullable else []))
        self.assertEqual(schema["description"], row["doc"])
        self.assertEqual(schema.get("enum", []), row["choices"])
        if is_request:
            self.check_request(row, schema)

    def check_request(self, row, schema):
        self.assertEqual(schema.get("default"), default_of(row))
        if row["type"] in ("bool", "enum"):
            return
        bounded = resolve_in(schema["items"]) if row["type"] in ("ints", "texts") else schema
        for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength",
                    "maxLength"):
            self.assertEqual(bounded.get(key), bounds_of(row).get(key), key)
        if row["type"] in ("text", "texts"):
            self.assertIn("pattern", bounded)
        if bounded is not schema:
            self.assertEqual(schema["maxItems"], 16)

    def test_that_are_required(self):
        required = {t: {r["name"] for r in rows_of(t) if r["required"] and not r["variants"]}
                    for t in CODE["tables"]}
        request = SCHEMAS["JobRequest"]
        self.assertEqual(set(request["required"]), required["TrainSpec"])
        for part, method in [("then", "predict"), ("else", "ce")]:
            self.assertEqual(set(request[part]["required"]),
                             {r["name"] for r in rows_of("TrainSpec")
                              if r["required"] and r["variants"] and has_method(r, method)})
        self.assertEqual(set(SCHEMAS["DatasetRequest"]["required"]), required["DatasetRequest"])
        self.assertEqual(set(SCHEMAS["PredictRequest"]["required"]),
                         required["PredictRequest"] | {"images"})
        for table in ("AliasRequest", "WebhookRequest", "KeyRequest", "UploadRequest"):
            self.assertEqual(set(SCHEMAS[table]["required"]), required[table])
        for table in CODE["tables"].keys() - REQUESTS:
            self.assertEqual(set(SCHEMAS[table]["required"]) | WHEN_ASKED.get(table, set()),
                             SCHEMAS[table]["properties"].keys())

    def test_of_requests_are_closed(self):
        for table in REQUESTS:
            self.assertIs(SCHEMAS[table]["additionalProperties"], False, table)
        for _, path, operation, _ in operations():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                if "$ref" in media["schema"]:
                    schema = resolve(media["schema"]["$ref"])
                    schema = resolve(schema["$ref"]) if "$ref" in schema else schema
                    self.assertIs(schema["additionalProperties"], False, path)

    def test_of_a_prediction_are_its_query_too(self):
        query = {p["name"]: p["schema"] for p in API["paths"]["/predict"]["post"]["parameters"]}
        self.assertEqual(query.keys(), {row["name"] for row in rows_of("PredictRequest")})
        for row in rows_of("PredictRequest"):
            self.check_request(row, query[row["name"]])


    def test_of_an_upload_are_its_query(self):
        for path, rows in CODE["queries"].items():
            given = {p["name"]: p for p in API["paths"][path]["post"]["parameters"]}
            rows = [row for row in rows if not row["cli"]]
            self.assertEqual(list(given), [row["name"] for row in rows])
            for row in rows:
                parameter = given[row["name"]]
                self.assertEqual(parameter["description"], row["doc"])
                self.assertEqual(parameter.get("required", False), row["required"])
                self.assertEqual(parameter["schema"].get("enum", []), row["choices"])
                self.check_request(row, parameter["schema"])


class Answers(unittest.TestCase):
    def check(self, value, schema, place):
        """Members of the real answer and of the schema are the same, at every level."""
        if "$ref" in schema:
            schema = resolve(schema["$ref"])
        if "anyOf" in schema and value is not None:
            return self.check(value, schema["anyOf"][0], place)
        if isinstance(value, list) and "items" in schema:
            name = schema["items"].get("$ref", place).rsplit("/")[-1]
            for item in value:
                self.check(item, schema["items"], name)
        if not isinstance(value, dict):
            return None
        if place == "Job.spec":  # the schema of requests, which require less and know all methods
            rows = [row for row in rows_of("TrainSpec") if has_method(row, value["method"])]
            self.assertEqual(value.keys(), {row["name"] for row in rows})
        else:
            asked = WHEN_ASKED.get(place, set())
            self.assertEqual(value.keys() | asked, schema["properties"].keys(), place)
            self.assertEqual(value.keys(), set(schema["required"]), place)
        for key, member in value.items():
            self.check(member, schema["properties"][key], place + "." + key)
        return None

    def test_have_the_members_of_their_schemas(self):
        for name, value in CODE["samples"].items():
            self.check(value, SCHEMAS[name], name)

    def test_csv_has_the_columns_of_a_point(self):
        content = API["paths"]["/jobs/{id}/metrics"]["get"]["responses"]["200"]["content"]
        columns = content["text/csv"]["example"].strip().split(",")
        self.assertEqual(columns, [row["name"] for row in rows_of("Point")])


class States(unittest.TestCase):
    def test_are_the_same(self):
        self.assertEqual(SCHEMAS["JobState"]["enum"], CODE["states"])

    def test_types_of_message_are_the_same(self):
        told = SCHEMAS["WebhookMessage"]["properties"]["type"]["enum"]
        asked = SCHEMAS["WebhookRequest"]["properties"]["events"]["items"]["enum"]
        self.assertEqual(told, CODE["webhook_kinds"][1:] + CODE["webhook_kinds"][:1])
        self.assertEqual(asked, CODE["webhook_kinds"][1:])

    def test_wishes_are_the_same(self):
        wishes = SCHEMAS["Job"]["properties"]["requested"]["enum"]
        self.assertEqual(wishes, [r for r in CODE["requests"] if r != "none"] + [None])

    def test_error_codes_of_jobs_are_all_statuses(self):
        codes = SCHEMAS["JobError"]["properties"]["code"]["enum"]
        self.assertEqual(codes, [s for s in CODE["statuses"] if s != "ok"])


class Problems(unittest.TestCase):
    def test_types_are_the_same(self):
        types = [CODE["problem_type_prefix"] + p["slug"] for p in CODE["problems"]]
        self.assertEqual(SCHEMAS["Problem"]["properties"]["type"]["enum"], types)

    def test_named_responses_are_kinds_of_problem(self):
        """A response under a code is a kind that the code sends with it, by its title."""
        for method, path, operation, _ in operations():
            for code, response in operation["responses"].items():
                if code == "default" or int(code) < 400 or "$ref" not in response:
                    continue
                titles = {p["title"] for p in CODE["problems"] if p["http"] == int(code)}
                self.assertIn(resolve(response["$ref"])["description"], titles,
                              f"{method} {path} {code}")

    def test_every_code_is_told(self):
        told = {int(c) for c in re.findall(r"\b[45]\d\d\b", API["info"]["description"])}
        for _, _, operation, _ in operations():
            self.assertIn("default", operation["responses"])
            told |= {int(c) for c, r in operation["responses"].items()
                     if c != "default" and int(c) >= 400 and "$ref" in r}
        self.assertEqual(told, {p["http"] for p in CODE["problems"]})

    def test_slugs_are_unique(self):
        slugs = [p["slug"] for p in CODE["problems"]]
        self.assertEqual(len(slugs), len(set(slugs)))

    def test_the_example_is_what_the_service_says(self):
        example = API["components"]["responses"]["Invalid"]["content"]
        example = example["application/problem+json"]["example"]
        body = {e["field"]: e["value"] for e in example["errors"] if e["value"] is not None}
        self.assertEqual(decode("job", body | {"dataset": "cifar100"}), example)


class Examples(unittest.TestCase):
    def test_requests_are_accepted(self):
        kinds = {"/jobs": "job", "/jobs/{id}": "edit", "/datasets": "dataset", "/predict": "predict",
                 "/aliases/{name}": "alias", "/webhooks": "webhook", "/keys": "key",
                 "/keys/{name}": "key_edit", "/uploads": "upload"}
        count = 0
        for _, path, operation, _ in operations():
            content = operation.get("requestBody", {}).get("content", {})
            for example in content.get("application/json", {}).get("examples", {}).values():
                answer = decode(kinds[path], example["value"])
                self.assertNotIn("title", answer, path)
                for name in answer.keys() & example["value"].keys():
                    self.assertEqual(answer[name], example["value"][name], name)
                count += 1
        self.assertGreaterEqual(count, 4)

    def test_fields_out_of_range_are_refused(self):
        """Each bound that the contract states is the one that the decoder enforces."""
        base = {"student": "s", "dataset": "d"}
        for row in rows_of("TrainSpec"):
            if row["type"] not in ("int", "float"):
                continue
            for value in (row["min"] - 1, row["max"] * 2 + 1):
                answer = decode("job", base | {row["name"]: value})
                self.assertEqual(answer["status"], 422, row["name"])
                self.assertEqual([e["field"] for e in answer["errors"]], [row["name"]])
                self.assertEqual(answer["errors"][0]["value"], value)
                self.assertTrue(answer["errors"][0]["range"])


class Document(unittest.TestCase):
    def test_a_key_that_stands_twice_is_refused(self):
        text = OPENAPI.read_text()
        line = "        '401': {$ref: '#/components/responses/Unauthorized'}\n"
        self.assertIn(line, text)
        with self.assertRaisesRegex(yaml.YAMLError, "found the key '401' twice"):
            contract.parse(text.replace(line, 2 * line, 1))

    def test_references_resolve_and_nothing_is_unused(self):
        used = set(all_refs(API))
        used |= {f"#/components/securitySchemes/{scheme}" for *_, operation, _ in operations()
                 for choice in operation["security"] for scheme in choice}
        for ref in used:
            self.assertTrue(resolve(ref))
        for group, components in API["components"].items():
            for name in components:
                self.assertIn(f"#/components/{group}/{name}", used)

    def test_version_is_that_of_the_project(self):
        cmake = (OPENAPI.parent / "CMakeLists.txt").read_text()
        version = re.search(r"project\(distilld VERSION ([\d.]+)", cmake).group(1)
        self.assertEqual(API["info"]["version"], version)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
