"""Records changes of tags and permissions, whose visibility can be delayed."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend

from .encryption import check_shareable
from .state import current_state, patch

_moto_create_tags = EC2Backend.create_tags
_moto_delete_tags = EC2Backend.delete_tags
_moto_add_create_volume_permission = EC2Backend.add_create_volume_permission


@patch(EC2Backend)
def create_tags(self: Any, resource_ids: list[str], tags: dict[str, str]) -> Any:
    """Sets tags."""
    current_state().conditions.visibility.note_tags(self, resource_ids)
    return _moto_create_tags(self, resource_ids, tags)


@patch(EC2Backend)
def delete_tags(self: Any, resource_ids: list[str], tags: dict[str, str]) -> Any:
    """Deletes tags."""
    current_state().conditions.visibility.note_tags(self, resource_ids)
    return _moto_delete_tags(self, resource_ids, tags)


@patch(EC2Backend)
def add_create_volume_permission(
    self: Any, snapshot_id: str, user_ids: list[str], groups: list[str]
) -> None:
    """Shares a snapshot."""
    snapshot = self.get_snapshot(snapshot_id)
    text = "Encrypted snapshots with EBS default key cannot be shared"
    check_shareable(snapshot, "OperationNotPermitted", text)
    existing = snapshot.create_volume_permission_userids | snapshot.create_volume_permission_groups
    _moto_add_create_volume_permission(self, snapshot_id, user_ids, groups)
    for target in {*(user_ids or ()), *(groups or ())} - existing:
        current_state().conditions.visibility.note_permission(snapshot_id, target)
