"""What is known of GPUs, without a host."""
import json
import sys
import unittest

import cli_test
from cli_test import CommandTest


class Catalog(CommandTest):
    def listing(self, table, model):
        return json.loads(self.run_gpuhost("catalog", table, "--gpu", model, "-o", "json", expect=0).stdout)

    def test_types_say_what_they_run_and_how_many_fit(self):
        (board,) = self.listing("vgpu-types", "tesla m60")
        self.assertEqual((board["board"], board["gpus_per_board"], board["pci_ids"]), ("M60", 2, ["10de:13f2"]))
        types = {one["name"]: one for one in board["types"]}
        self.assertEqual({one["series"] for one in types.values()}, {"Q", "B", "A"})
        workstation = types["GRID M60-1Q"]
        self.assertEqual((workstation["framebuffer_mb"], workstation["heads"], workstation["product"]), (1024, 4, "vWS"))
        self.assertEqual((workstation["max_per_gpu"], workstation["max_per_board"]), (8, 16))
        self.assertIsNone(workstation["mig_profile"])

    def test_types_on_mig_name_their_profile(self):
        (board,) = self.listing("vgpu-types", "A100")
        types = {one["name"]: one for one in board["types"]}
        self.assertEqual(types["GRID A100-3-20C"]["mig_profile"], "3g.20gb")
        self.assertEqual(types["GRID A100-10C"]["max_per_gpu_mixed"], 4)

    def test_profiles_say_where_they_may_lie_and_what_fits(self):
        (family,) = self.listing("mig-profiles", "A100")
        self.assertEqual((family["family"], family["compute_slices"], family["memory_slices"]), ("A100-40GB", 7, 8))
        self.assertIn("10de:20b0", family["pci_ids"])
        profiles = {one["name"]: one for one in family["profiles"]}
        self.assertEqual(profiles["3g.20gb"]["placements"], [0, 4])
        self.assertEqual(profiles["1g.5gb+me"]["max"], 1)
        self.assertIn("4g.20gb + 3g.20gb", family["full_layouts"])
        self.assertNotIn("3g.20gb", family["full_layouts"])

    def test_facts_that_nobody_has_published_are_null(self):
        (family,) = self.listing("mig-profiles", "RTXPRO4500-32GB")
        self.assertIsNone(family["memory_slices"])
        self.assertIsNone(family["profiles"][0]["id"])
        self.assertEqual(family["full_layouts"], [])

    def test_releases_have_the_versions_that_go_together(self):
        branches = json.loads(self.run_gpuhost("catalog", "releases", "-o", "json", expect=0).stdout)
        releases = {one["release"]: one for branch in branches for one in branch["releases"]}
        self.assertEqual(len(releases), 102)
        self.assertEqual([releases["12.2"][of] for of in ("manager", "linux", "windows")],
                         ["460.73.02", "460.73.01", "462.31"])
        accepts = {branch["major"]: branch["guest_branches"] for branch in branches}
        self.assertEqual((accepts[19], accepts[16], accepts[10]), ([19, 18, 16], [16, 15, 13], [10]))

    def test_releases_stand_in_lines_of_text(self):
        text = self.run_gpuhost("catalog", "releases", expect=0).stdout
        self.assertIn(["12.2", "460.73.02", "460.73.01", "462.31", "2021-04-18"],
                      [line.split() for line in text.splitlines()])
        self.assertIn("vGPU software 19: driver R580, LTS, support until 2028-07, guests with drivers of 19, 18, 16\n",
                      text)
        self.assertRegex(text, r"product nvaie .*M60")

    def test_without_a_model_all_are_listed(self):
        for table, rows in (("releases", "releases"), ("vgpu-types", "types"), ("mig-profiles", "profiles")):
            groups = json.loads(self.run_gpuhost("catalog", table, "-o", "json", expect=0).stdout)
            self.assertGreater(len(groups), 10)
            self.assertTrue(all(group[rows] for group in groups))

    def test_text_has_a_heading_over_each_column(self):
        lines = self.run_gpuhost("catalog", "mig-profiles", "--gpu", "A30", expect=0).stdout.splitlines()
        self.assertEqual(lines[0], "A30-24GB: 4 compute slices, 4 memory slices")
        self.assertEqual(lines[1].split()[:5], ["PROFILE", "ID", "COMPUTE", "MEMORY", "AT"])
        self.assertEqual(lines[2].split()[:6], ["1g.6gb", "14", "1", "1", "4", "0,1,2,3"])

    def test_what_is_not_known_is_64_with_a_suggestion(self):
        for arguments, said in ((["vgpu-types", "--gpu", "A4O"], "did you mean 'A40'?"),
                                (["mig-profiles", "--gpu", "M60"], "cannot be partitioned"),
                                (["mig-profiles", "--gpu", "A10O"], "did you mean 'A100'?"),
                                (["mig-profile"], "did you mean 'mig-profiles'?"),
                                (["mig-profiles", "--gpu", ""], "empty value"),
                                (["releases", "--gpu", "A40"], "not listed by GPU")):
            with self.subTest(arguments=arguments):
                self.assertIn(said, self.run_gpuhost("catalog", *arguments, expect=64).stderr)


if __name__ == "__main__":
    cli_test.GPUHOST = sys.argv.pop(1)
    unittest.main()
