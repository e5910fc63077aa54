#include <iostream>

#include "render/example_plan.hpp"
#include "render/json_text.hpp"
#include "render/plan.hpp"

/// Prints plans as JSON, for the test that holds them against the schema.
int main() {
  using namespace gpuhost;
  std::cout << json_text({plan_json(test::example_plan()), plan_json(test::quiet_plan())});
}
