//! Gives resources access to facts: parses each reading once and tracks secrets.

use std::cell::Cell;
use std::rc::Rc;

use crate::facts::error::ReadError;
use crate::facts::memo::Memo;
use crate::facts::observation::Observation;
use crate::facts::{Facts, Identity, PackageManager, Read, Reading};
use crate::matcher::context::{MatchContext, VersionOrder};

/// Facts during an evaluation.
pub(crate) struct View<'f> {
    facts: &'f Facts,
    memo: Memo,
    context: MatchContext,
    /// True if a secret was read since [`View::reset_secret_flag`].
    secret: Cell<bool>,
}

/// Parsed reading, which is shared by all properties.
pub(crate) type Parsed<T> = Read<Rc<T>, ReadError>;

impl<'f> View<'f> {
    pub(crate) fn new(facts: &'f Facts) -> Self {
        Self {
            facts,
            memo: Memo::default(),
            context: MatchContext {
                versions: version_order(facts),
                ..MatchContext::default()
            },
            secret: Cell::new(false),
        }
    }

    /// Clears the flag that [`View::has_read_secret`] returns.
    pub(crate) fn reset_secret_flag(&self) {
        self.secret.set(false);
    }

    /// Returns whether a secret was read since the last reset.
    pub(crate) fn has_read_secret(&self) -> bool {
        self.secret.get()
    }

    /// Returns the cache of patterns and the order of versions.
    pub(crate) fn context(&self) -> &MatchContext {
        &self.context
    }

    pub(crate) fn identity(&self) -> &'f Identity {
        &self.facts.identity
    }

    pub(crate) fn facts(&self) -> &'f Facts {
        self.facts
    }

    /// Returns a reading; `None` if it was not collected.
    pub(crate) fn reading(&self, kind: &str, key: &str) -> Option<&'f Reading> {
        self.facts.reading(kind, key)
    }

    /// Returns a parsed reading; parses it at the first use.
    pub(crate) fn parse_reading<T: 'static>(
        &self,
        kind: &str,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, ReadError>,
    ) -> Parsed<T> {
        let Some(reading) = self.facts.reading(kind, key) else {
            return Read::Unreadable(ReadError::NotCollected);
        };
        self.note_secret(reading.body.is_secret());
        match reading.rc {
            0 if reading.body.is_omitted() => Read::Unreadable(ReadError::SecretNotStored),
            0 if reading.body.truncated => Read::Unreadable(ReadError::TooLarge),
            0 => self.compute_once(kind, key, || {
                parse(&String::from_utf8_lossy(reading.body.bytes()))
            }),
            1 => Read::Absent,
            2 => Read::Unreadable(ReadError::PermissionDenied),
            _ => Read::Unreadable(ReadError::target_message(reading.body.bytes())),
        }
    }

    /// Returns a value computed from several readings; computes it at the first use.
    pub(crate) fn compute_once<T: 'static>(
        &self,
        kind: &str,
        key: &str,
        compute: impl FnOnce() -> Result<T, ReadError>,
    ) -> Parsed<T> {
        let (result, secret) = self.memo.get(kind, key).unwrap_or_else(|| {
            let before = self.secret.replace(false);
            let result = compute().map(Rc::new);
            let secret = self.secret.replace(before);
            self.memo.insert(kind, key, result.clone(), secret);
            (result, secret)
        });
        self.note_secret(secret);
        result.map_or_else(Read::Unreadable, Read::Present)
    }

    fn note_secret(&self, is_secret: bool) {
        self.secret.set(self.secret.get() || is_secret);
    }
}

/// Returns the order of the package manager on the target.
fn version_order(facts: &Facts) -> VersionOrder {
    match facts.package_manager() {
        Some(PackageManager::Rpm) => VersionOrder::Rpm,
        Some(PackageManager::Dpkg) | None => VersionOrder::Dpkg,
    }
}

impl<T> Read<T, ReadError> {
    /// Continues with the content, if any.
    pub(crate) fn and_then<U>(
        self,
        next: impl FnOnce(T) -> Read<U, ReadError>,
    ) -> Read<U, ReadError> {
        match self {
            Self::Present(value) => next(value),
            Self::Absent => Read::Absent,
            Self::Unreadable(why) => Read::Unreadable(why),
        }
    }

    /// Converts to the result of an observation; `absent` is the reason for missing content.
    pub(crate) fn observe(
        self,
        absent: &str,
        present: impl FnOnce(T) -> Observation,
    ) -> Observation {
        match self {
            Self::Present(value) => present(value),
            Self::Absent => Observation::Missing(absent.to_owned()),
            Self::Unreadable(why) => why.into(),
        }
    }
}
