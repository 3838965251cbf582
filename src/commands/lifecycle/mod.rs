//! Commands that move versions through environments, and repair their state.

pub(super) mod doctor;
pub(super) mod hold;
pub(super) mod promote;
pub(super) mod revoke;
pub(super) mod rollback;
pub(super) mod unlock;
