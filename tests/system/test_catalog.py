#!/usr/bin/env python3
"""What a form needs before a job is posted: the networks and the fields."""

import sys
import unittest

from service import ROOT, Redis, ServiceCase

sys.path.append(str(ROOT / "tests/support"))
import contract  # noqa: E402

# As in the paper: parameters and multiply-adds for CIFAR-100's pictures, or ImageNet's.
PUBLISHED = {"resnet8": (83892, 12507392), "resnet32x4": (7433860, 1083040768),
             "vgg8": (3965028, 96192512), "shufflenetv2": (1355528, 44504448),
             "resnet18": (11689512, 1814073344)}


class CatalogTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = Redis().start()
        cls.addClassCleanup(cls.redis.stop)
        cls.service = cls.start("serve", redis=cls.redis.url, device="ref")

    def architectures(self, query=""):
        answer = self.service.get("/architectures" + query)
        self.assertEqual(answer.status, 200, answer)
        self.assertIsNone(answer.json()["next"])
        return {item.pop("name"): item for item in answer.json()["items"]}

    def test_costs_are_those_of_the_paper(self):
        found = self.architectures()
        for name, cost in PUBLISHED.items():
            self.assertEqual((found[name]["parameters"], found[name]["multiply_adds"]), cost)
            self.assertTrue(found[name]["description"] and found[name]["origin"])
        self.assertEqual([found[name]["height"] for name in ("resnet8", "resnet18")], [32, 224])

    def test_costs_follow_the_pictures(self):
        small = self.architectures("?height=16&width=16&channels=1&classes=10")["resnet8"]
        usual = self.architectures()["resnet8"]
        self.assertEqual(usual["parameters"] - small["parameters"], 2 * 9 * 16 + 90 * 65)
        self.assertLess(small["multiply_adds"], usual["multiply_adds"] / 3)

    def test_networks_that_do_not_take_a_size(self):
        self.assertIn("deit_tiny", self.architectures("?height=48"))
        self.assertNotIn("deit_tiny", self.architectures("?height=50"))

    def test_sizes_that_no_network_takes(self):
        for query, field in (("height=7", "height"), ("classes=1", "classes"),
                             ("channels=5", "channels"), ("width=x", "width"), ("depth=3", "depth")):
            answer = self.service.get("/architectures?" + query)
            self.assertEqual(answer.status, 422, answer)
            self.assertEqual([error["field"] for error in answer.json()["errors"]], [field])

    def test_schema_is_the_contract(self):
        schema = self.service.get("/schema").json()
        schemas = contract.load()["components"]["schemas"]
        self.assertEqual(schema["required"], schemas["JobRequest"]["required"])
        self.assertIs(schema["additionalProperties"], False)
        needs = {rule["then"]["required"][0]: rule["if"] for rule in schema["allOf"]}
        of_method = {name: rule["properties"]["method"]["enum"] for name, rule in needs.items()}
        self.assertEqual(of_method, {"student": ["ce", "kd", "ttm", "wttm"], "model": ["predict"]})
        self.assertNotIn("required", needs["student"])  # ce is what is meant without a method
        self.assertEqual(needs["model"], schemas["JobRequest"]["if"])
        properties = schemas["TrainSpec"]["properties"]
        self.assertEqual(list(schema["properties"]), list(properties))
        for name, property_ in properties.items():
            with self.subTest(name):
                self.assertEqual(schema["properties"][name], property_)

    def test_every_default_is_in_its_range(self):
        for name, field in self.service.get("/schema").json()["properties"].items():
            value = field.get("default")
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                with self.subTest(name):
                    self.assertLessEqual(field.get("minimum", value), value)
                    self.assertLessEqual(value, field.get("maximum", value))


if __name__ == "__main__":
    unittest.main()
