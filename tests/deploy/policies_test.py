"""Every overlay keeps every rule; and every rule finds each of the copies that were broken for it."""

import copy
import sys
import unittest

import cluster_rules
import manifests
import pod_rules
import tools
from broken_copies import BROKEN

RULES = {rule.__name__: rule for rule in (*pod_rules.RULES, *cluster_rules.RULES)}


class Policies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tools.folder()
        cls.overlays = {name: manifests.parse(manifests.overlay_text(name)) for name in manifests.OVERLAYS}

    def test_every_overlay_keeps_every_rule(self):
        for overlay, documents in self.overlays.items():
            for name, rule in RULES.items():
                with self.subTest(overlay=overlay, rule=name):
                    self.assertEqual(list(rule(documents)), [])

    def test_every_rule_finds_the_copies_broken_for_it(self):
        for name, (overlay, damages) in BROKEN.items():
            for what, damage in damages.items():
                with self.subTest(rule=name, broken=what):
                    documents = copy.deepcopy(self.overlays[overlay])
                    damage(documents)
                    self.assertNotEqual(documents, self.overlays[overlay], "the copy is whole")
                    self.assertNotEqual(list(RULES[name](documents)), [])

    def test_every_rule_has_a_broken_copy(self):
        self.assertEqual(set(BROKEN), set(RULES))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
