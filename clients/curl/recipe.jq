# Makes the JSON of a job of a recipe: $recipe is its text, $schema what GET /schema answers, and the
# arguments are name=value items that come in place of what the recipe says.
def assignments:
    map(index("=") as $at
        | if $at then {(.[:$at]): .[$at + 1:]} else error("not name=value: \(.)") end)
    | add // {};

def lines: split("\n") | map(gsub("^\\s+|\\s+$"; "") | select(. != "" and (startswith("#") | not)));

# A text as the value that the field's schema asks for; one that is no such value stays a text.
def typed($field):
    ($field.type | if type == "array" then .[0] else . end) as $type
    | if $type == "array" then split(",") | map(select(. != "") | typed($field.items))
      elif $type == "integer" or $type == "number" then tonumber? // .
      elif $type != "boolean" then .
      elif . == "true" or . == "1" then true
      elif . == "false" or . == "0" then false
      else . end;

($ARGS.positional | assignments) as $said
| ($recipe | lines | assignments)
| if $said | has("gamma") or has("temperature") then del(.gamma, .temperature) else . end
| . + $said
| with_entries($schema.properties[.key] as $field | .value = (.value | typed($field)))
