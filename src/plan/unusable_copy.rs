//! Refuses to publish an AMI that is held, revoked or not available.

use crate::lifecycle::Record;
use crate::model::{AmiId, ImageName, Location, State, Version};

/// Copy at a location that a publication cannot use or repair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnusableCopyError {
    /// Copy that must not be promoted.
    #[error(
        "version {version} of `{image}` is held in {location}; if it may be promoted, run \
         `bakeline hold {image} {version} --release-hold`"
    )]
    Held {
        image: ImageName,
        version: Version,
        location: Location,
    },
    /// Copy that was revoked or is not available.
    #[error(
        "its AMI {ami} in {location} is {} and {status}: run `bakeline doctor`",
        .state.as_str()
    )]
    Broken {
        ami: AmiId,
        location: Location,
        state: State,
        /// State of the AMI in EC2.
        status: String,
    },
}

impl UnusableCopyError {
    /// Fails if a copy must not become current.
    pub(super) fn require_usable(record: &Record<'_>, location: &Location) -> Result<(), Self> {
        match (record.is_usable(), record.state) {
            (true, State::Released) => Ok(()),
            (true, State::Held) => Err(Self::held(record, location)),
            (_, state) => Err(Self::Broken {
                ami: record.ami.id.clone(),
                location: location.clone(),
                state,
                status: record.ami.status.clone(),
            }),
        }
    }

    /// Returns the error about a held copy.
    pub(super) fn held(record: &Record<'_>, location: &Location) -> Self {
        Self::Held {
            image: record.image.clone(),
            version: record.version,
            location: location.clone(),
        }
    }
}
