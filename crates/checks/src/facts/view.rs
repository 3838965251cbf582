//! Gives resources access to facts: parses each reading once and tracks secrets.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::facts::observation::Observation;
use crate::facts::{Facts, Identity, Reading};
use crate::matcher::pattern::Patterns;
use crate::text::truncate_for_display;

/// Parsed values by type, kind and key, with a flag for secrets.
type Cache = HashMap<(TypeId, String, String), (Rc<dyn Any>, bool)>;

/// Facts during an evaluation.
pub(crate) struct View<'f> {
    facts: &'f Facts,
    cache: RefCell<Cache>,
    patterns: Patterns,
    /// True if a secret was read since [`View::reset_secret_flag`].
    secret: Cell<bool>,
}

/// Parsed reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ParsedReading<T> {
    /// Parsed content.
    Present(T),
    /// Nothing on the target.
    Absent,
    /// Unknown content, with the reason.
    Unknown(String),
}

impl<'f> View<'f> {
    pub(crate) fn new(facts: &'f Facts) -> Self {
        Self {
            facts,
            cache: RefCell::default(),
            patterns: Patterns::default(),
            secret: Cell::new(false),
        }
    }

    /// Clears the flag that [`View::read_secret`] returns.
    pub(crate) fn reset_secret_flag(&self) {
        self.secret.set(false);
    }

    /// Returns whether a secret was read since the last reset.
    pub(crate) fn read_secret(&self) -> bool {
        self.secret.get()
    }

    /// Returns the cache of compiled patterns.
    pub(crate) fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    pub(crate) fn identity(&self) -> &'f Identity {
        &self.facts.identity
    }

    pub(crate) fn facts(&self) -> &'f Facts {
        self.facts
    }

    /// Returns a reading; `None` if it was not collected.
    pub(crate) fn raw(&self, kind: &str, key: &str) -> Option<&'f Reading> {
        self.facts.reading(kind, key)
    }

    /// Returns a parsed reading; parses it at the first use.
    pub(crate) fn parsed<T: 'static>(
        &self,
        kind: &str,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> ParsedReading<Rc<T>> {
        let Some(reading) = self.facts.reading(kind, key) else {
            return ParsedReading::Unknown("it was not collected".to_owned());
        };
        self.secret
            .set(self.secret.get() || reading.body.is_secret());
        match reading.rc {
            0 if reading.body.is_omitted() => {
                ParsedReading::Unknown("the value is secret and was not stored".to_owned())
            }
            0 if reading.body.truncated => {
                ParsedReading::Unknown("the content is too large to judge".to_owned())
            }
            0 => self.memoized(kind, key, || {
                parse(&String::from_utf8_lossy(reading.body.bytes()))
            }),
            1 => ParsedReading::Absent,
            2 => ParsedReading::Unknown("permission denied".to_owned()),
            _ => ParsedReading::Unknown(truncate_for_display(reading.body.bytes())),
        }
    }

    /// Returns a value computed from several readings; computes it at the first use.
    pub(crate) fn memoized<T: 'static>(
        &self,
        kind: &str,
        key: &str,
        make: impl FnOnce() -> Result<T, String>,
    ) -> ParsedReading<Rc<T>> {
        let id = (TypeId::of::<T>(), kind.to_owned(), key.to_owned());
        let cached = self.cache.borrow().get(&id).cloned();
        let value = match cached {
            Some((value, secret)) => {
                self.secret.set(self.secret.get() || secret);
                value
            }
            None => {
                let before = self.secret.replace(false);
                let value: Rc<dyn Any> = Rc::new(make().map(Rc::new));
                self.cache
                    .borrow_mut()
                    .insert(id, (Rc::clone(&value), self.secret.get()));
                self.secret.set(self.secret.get() || before);
                value
            }
        };
        match value.downcast_ref::<Result<Rc<T>, String>>() {
            Some(Ok(value)) => ParsedReading::Present(Rc::clone(value)),
            Some(Err(why)) => ParsedReading::Unknown(why.clone()),
            None => ParsedReading::Unknown(
                "internal error: the cached value has another type".to_owned(),
            ),
        }
    }
}

impl<T> ParsedReading<T> {
    /// Continues with the content, if any.
    pub(crate) fn and_then<U>(self, next: impl FnOnce(T) -> ParsedReading<U>) -> ParsedReading<U> {
        match self {
            Self::Present(value) => next(value),
            Self::Absent => ParsedReading::Absent,
            Self::Unknown(why) => ParsedReading::Unknown(why),
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
            Self::Unknown(why) => Observation::Unknown(why),
        }
    }
}
