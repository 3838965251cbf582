"""Situations in which commands call every action of the printed roles: moves, failures and their undo, retirement, leftovers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from support.enforced_roles import EnforcedRoles
from support.leftovers import LONG_AGO, create_leftovers, create_references, tag_list
from support.missing_actions import MissingAction, Situation, faults, setting
from support.run import CompletedRun
from support.seeded_history import ONE, SECOND, TWO
from support.state import OTHER, OWN, Location


def locations(enforced: EnforcedRoles) -> tuple[Location, Location]:
    """Returns a location in each account."""
    return (OWN, enforced.sandbox.region), (OTHER, SECOND)


def read_everything(enforced: EnforcedRoles) -> Iterator[CompletedRun]:
    """Reads a history with an AMI to retire, launch templates, and an image whose source is a parameter."""
    image, _ = enforced.image(promoted=True)
    for place in locations(enforced):
        create_references(enforced, place)
    commands = (
        ["plan"],
        ["list"],
        ["why", image],
        ["latest", image, "--env", "Test"],
        ["explain", image],
        ["doctor"],
        ["prune", "--keep", "1"],
        ["sweep"],
    )
    for words in commands:
        yield enforced.run("read", *words)


def move(enforced: EnforcedRoles) -> Iterator[CompletedRun]:
    image, _ = enforced.image()
    for words in (
        ["promote", image, "--to", "Prod"],
        ["rollback", image, "--env", "Prod"],
        ["hold", image, TWO, "--release-hold"],
        ["doctor", "--apply"],
        # The second one revokes the only version that is left, so the pointers are deleted.
        ["revoke", image, TWO, "--apply"],
        ["revoke", image, ONE, "--apply"],
    ):
        yield enforced.run("promote", *words)


def move_encrypted(enforced: EnforcedRoles) -> Iterator[CompletedRun]:
    image, _ = enforced.image(kms_key=enforced.create_key())
    yield enforced.run("promote", "promote", image, "--to", "Prod")


def move_without_imds(enforced: EnforcedRoles) -> Iterator[CompletedRun]:
    """The copies lose the requirement of IMDSv2."""
    image, _ = enforced.image()
    home = locations(enforced)[0]
    for ami in enforced.history.observer.amis(home, image):
        ec2 = enforced.history.observer.client("ec2", home)
        ec2.modify_image_attribute(ImageId=ami["ImageId"], ImdsSupport={"Value": "v2.0"})
    with setting(enforced, "copies", {"times": 3, "imds": False}, {"times": 0}):
        yield enforced.run("promote", "promote", image, "--to", "Prod")


def undo_moves(enforced: EnforcedRoles) -> Iterator[CompletedRun]:
    """The pointers cannot be written, so the copies are removed."""
    image, _ = enforced.image()
    with faults(enforced, {"action": "PutParameter", "region": SECOND}):
        yield enforced.run("promote", "promote", image, "--to", "Prod")


def share_for_copy(enforced: EnforcedRoles, image: str) -> None:
    """Leaves the permission for a copy that a dead run gave."""
    ec2 = enforced.history.observer.client("ec2", locations(enforced)[0])
    for ami in enforced.history.observer.amis(locations(enforced)[0], image):
        ec2.create_tags(
            Resources=[ami["ImageId"]], Tags=tag_list(**{f"sharing:{OTHER}": f"all run=dead expires={LONG_AGO}"})
        )
        ec2.modify_image_attribute(ImageId=ami["ImageId"], LaunchPermission={"Add": [{"UserId": OTHER}]})
        snapshot = ami["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, OperationType="add", UserIds=[OTHER])


def sweep(enforced: EnforcedRoles) -> Iterator[CompletedRun]:
    image, _ = enforced.image()
    share_for_copy(enforced, image)
    for place in locations(enforced):
        create_leftovers(enforced, place)
    yield enforced.run("prune", "sweep", "--apply")


def retire(enforced: EnforcedRoles) -> Iterator[CompletedRun]:
    """Retires an old version and restores it, and retires an image that left the catalog."""
    image, _ = enforced.image(promoted=True)
    observer, places = enforced.history.observer, locations(enforced)
    amis = {place: oldest(enforced, place, image) for place in places}
    for place, ami in amis.items():
        create_references(enforced, place)
        permission = {"Add": [{"UserId": "333333333333"}]}
        observer.client("ec2", place).modify_image_attribute(ImageId=ami, LaunchPermission=permission)
    yield enforced.run("prune", "prune", "--apply", "--keep", "1", "--shared-ok")
    for ami, (_, region) in zip(amis.values(), places, strict=True):
        yield enforced.run("prune", "restore", ami, "--region", region)
    for place in places:
        disable_long_ago(enforced, place, oldest(enforced, place, image))
    yield enforced.run("prune", "prune", "--apply", "--keep", "1", "--shared-ok")
    (enforced.catalog.at / f"images/{image}.yaml").unlink()
    # The pointers that the first try removes are written again.
    with faults(enforced, {"action": "EnableImageDeprecation"}):
        yield enforced.run("prune", "retire", image, "--apply", "--shared-ok")
    yield enforced.run("prune", "retire", image, "--apply", "--shared-ok")


def oldest(enforced: EnforcedRoles, place: Location, image: str) -> str:
    found = enforced.history.observer.amis(place, image)
    return str(min(found, key=lambda ami: str(ami["CreationDate"]))["ImageId"])


def disable_long_ago(enforced: EnforcedRoles, place: Location, ami: str) -> None:
    """Marks an AMI as retired long ago, so that it is deregistered next."""
    ec2 = enforced.history.observer.client("ec2", place)
    ec2.disable_image(ImageId=ami)
    marks = f"deprecate={LONG_AGO} disable={LONG_AGO} was=released"
    ec2.create_tags(Resources=[ami], Tags=tag_list(state="retiring", retiring=marks))


SITUATIONS: dict[str, Sequence[Situation]] = {
    "read": (read_everything,),
    "promote": (move, move_encrypted, move_without_imds, undo_moves),
    "prune": (sweep, retire),
}

# A command works without these actions, and prints a warning: the check of the keys before a copy, the trial launch, and the
# deletion of objects that another one replaces.
OPTIONAL: dict[str, Sequence[MissingAction]] = {
    "promote": (
        *(MissingAction("home", action) for action in ("ec2:DescribeSnapshots", "kms:DescribeKey", "s3:DeleteObject")),
        *(MissingAction(account, "ec2:RunInstances") for account in ("home", "environments")),
    ),
    "prune": (MissingAction("home", "s3:DeleteObject"),),
}
