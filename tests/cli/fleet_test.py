"""Many documents against many recorded hosts."""
import json
import sys
import unittest

import cli_test
from cli_test import IN_SYNC, PARAMETER, STOP, STOP_ALLOWED, CommandTest, document


class Fleet(CommandTest):
    def setUp(self):
        super().setUp()
        self.fleet = self.directory / "fleet"
        for number in (1, 2):
            self.add(f"hosts/gpu-{number}.yaml", self.host.read_text().replace("cli-test", f"gpu-test-0{number}"))

    def add(self, path, text):
        path = self.fleet / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def plan(self, *arguments, expect=0):
        return self.run_gpuhost("fleet", "plan", self.fleet, *arguments, expect=expect)

    def test_each_document_is_planned_for_the_hosts_that_it_means(self):
        self.add("first.yaml", document(PARAMETER, hosts=", hosts: [gpu-test-01]"))
        self.add("all/of-them.yaml", document(IN_SYNC))
        self.add("other.yaml", document(PARAMETER, hosts=", hosts: ['rack-7-*']"))
        told = json.loads(self.plan("-o", "json").stdout)
        self.assertEqual([[plan["file"].removeprefix(f"{self.fleet}/") for plan in host["plans"]]
                          for host in told["hosts"]], [["all/of-them.yaml", "first.yaml"], ["all/of-them.yaml"]])
        self.assertEqual([document["file"] for document in told["without_host"]], [f"{self.fleet}/other.yaml"])
        text = self.plan().stdout
        self.assertIn("other.yaml): no recorded host is meant by it", text)
        self.assertIn("Fleet: 2 hosts, 3 plans: 2 in sync, 1 with something to do.", text)

    def test_a_plan_is_the_one_that_plan_gives(self):
        text = document(PARAMETER)
        self.add("document.yaml", text)
        told = json.loads(self.plan("-o", "json").stdout)
        alone = json.loads(self.run_gpuhost("plan", "-f", self.write(text), "--host", self.fleet / "hosts/gpu-1.yaml",
                                            "-o", "json", expect=0).stdout)
        self.assertEqual(told["hosts"][0]["plans"][0]["plan"], alone)

    def test_what_cannot_be_applied_is_told_with_the_reason_and_is_7_before_2(self):
        self.add("a.yaml", document(STOP_ALLOWED, PARAMETER, hosts=", hosts: [gpu-test-01]"))
        self.plan("--detailed-exitcode", expect=2)
        self.add("b.yaml", document(STOP, hosts=", hosts: [gpu-test-02]"))
        text = self.plan("--detailed-exitcode", expect=7).stdout
        self.assertIn("not applyable", text)
        self.assertIn("needs disruption stop-units", text)

    def test_problems_of_all_files_come_in_one_go_and_nothing_is_planned(self):
        self.add("a.yaml", document("kernl: {}\n"))
        self.add("hosts/b.yaml", "apiVersion: gpuhost/v1\nkind: Host\nmetdata: {}\n")
        self.add(".git/config.yaml", "not: ours\n")
        done = self.plan(expect=65)
        self.assertEqual(done.stdout, "")
        self.assertIn("did you mean 'kernel'?", done.stderr)
        self.assertIn("hosts/b.yaml:3:1", done.stderr)
        self.assertNotIn(".git", done.stderr)

    def test_a_directory_without_files_is_65(self):
        self.assertIn("it holds no *.yaml", self.run_gpuhost("fleet", "plan", self.add("x/y", "").parent,
                                                             expect=65).stderr)

    def test_a_host_without_a_document_is_told(self):
        self.add("document.yaml", document(IN_SYNC, hosts=", hosts: [gpu-test-01]"))
        self.assertIn("no document is for it", self.plan().stdout)


if __name__ == "__main__":
    cli_test.GPUHOST = sys.argv.pop(1)
    unittest.main()
