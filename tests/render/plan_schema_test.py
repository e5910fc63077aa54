"""The plans that plan_dump prints are valid by the schema; spoilt ones are not."""
import copy
import json
import subprocess
import sys

import jsonschema

dump, schema_path = sys.argv[1:]
with open(schema_path, encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
plans = json.loads(subprocess.run([dump], check=True, capture_output=True).stdout)
for plan in plans:
    validator.validate(plan)


def refused(change):
    spoilt = copy.deepcopy(plans[0])
    change(spoilt)
    return not validator.is_valid(spoilt)


assert refused(lambda plan: plan.pop("plan_id"))
assert refused(lambda plan: plan.update(more=1))
assert refused(lambda plan: plan["changes"][0].update(disruption="some"))
assert refused(lambda plan: plan["changes"][0].update(more=1))
assert refused(lambda plan: plan["phases"][0].update(barrier="lunch"))
