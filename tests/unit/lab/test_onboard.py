"""What init wrote stays, proposals are confirmed, the rest is added, and each key says who it is from."""

from __future__ import annotations

import tomllib

from assay.preflight.profile_text import WISH
from lab.onboard import ADDED, CONFIRMED, DECIDED, FOUND, PROPOSAL, confirmed, filled, leaves


WRITTEN = f"""[stack]
name = "shop"  # from the checkout's folder
kind = "production"  # from the strictest kind

[talos.workers]  # from 2 other Nodes, {PROPOSAL}
# "web-01" = "192.0.2.21"
# "web-02" = "192.0.2.22"

[platform]
# deployer = ["shipwright"]  # from managedFields, {PROPOSAL}
# api_clients = ["argocd/*"]

[[platform.services]]
name = "sales"  # from the annotation
# rpo_s = 300  # from the document, {PROPOSAL}
"""
KNOWN = {
    "stack": {"name": "lab", "kind": "lab"},
    "talos": {"workers": {"other": "192.0.2.9"}, "version": "v1.13.5"},
    "platform": {"services": [{"name": "sales", "key": "k"}, {"name": "keys", "key": "l"}]},
}


def test_proposals_are_confirmed_and_examples_stay_comments() -> None:
    text = confirmed(WRITTEN)
    assert tomllib.loads(text)["talos"]["workers"] == {"web-01": "192.0.2.21", "web-02": "192.0.2.22"}
    assert tomllib.loads(text)["platform"]["deployer"] == ["shipwright"]
    assert '# api_clients = ["argocd/*"]' in text


def test_what_init_wrote_is_not_replaced_by_what_the_lab_knows() -> None:
    done = filled(WRITTEN, KNOWN)
    assert dict(leaves(done.tree)) == {
        "stack.name": "shop",
        "stack.kind": "lab",
        "talos.workers": {"web-01": "192.0.2.21", "web-02": "192.0.2.22"},
        "talos.version": "v1.13.5",
        "platform.deployer": ["shipwright"],
        "platform.services.sales.name": "sales",
        "platform.services.sales.rpo_s": 300,
        "platform.services.sales.key": "k",
        "platform.services.keys.name": "keys",
        "platform.services.keys.key": "l",
    }


def test_every_key_says_who_it_is_from() -> None:
    origin = filled(WRITTEN, KNOWN).origin
    assert (origin["stack.name"], origin["stack.kind"]) == (FOUND, DECIDED)
    assert (origin["talos.workers"], origin["platform.services.sales.rpo_s"]) == (CONFIRMED, CONFIRMED)
    assert (origin["platform.services.sales.key"], origin["talos.version"]) == (ADDED, ADDED)


def test_proposals_are_known_by_the_words_that_init_writes() -> None:
    assert WISH.endswith(PROPOSAL)
