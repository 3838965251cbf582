//! Decides what to do: turns a catalog and an inventory into a graph of steps with reasons.

mod action;
pub mod catalog_digests;
pub mod change;
pub mod doctor;
pub mod fingerprint;
pub mod hold;
pub mod inspect;
pub mod permissions;
pub mod probe;
pub mod promote;
pub mod prune;
mod publish;
pub mod release;
pub mod revoke;
pub mod rollback;
pub mod saved;
pub mod scope;
mod shared;
pub mod since;
pub mod step;
pub mod step_id;
pub mod sweep;
mod unusable_copy;
mod verdict;
pub mod waves;

pub use scope::{Scope, ScopeSubject};
pub use step::{Action, AmiRef, Plan, Step};
pub use step_id::{StepId, StepName};
