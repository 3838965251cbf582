//! Owns facts as resources read them: three-state, and each text parsed once however many controls ask.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::facts::observed::Observed;
use crate::facts::{Facts, Identity, Reading};
use crate::matcher::pattern::Patterns;
use crate::text::brief;

/// With whether a secret was read for it.
type Memo = HashMap<(TypeId, String, String), (Rc<dyn Any>, bool)>;

/// Facts while they are judged.
pub(crate) struct View<'f> {
    facts: &'f Facts,
    memo: RefCell<Memo>,
    patterns: Patterns,
    /// Whether anything that was read since [`View::fresh`] is a secret.
    secret: Cell<bool>,
}

/// How an answer reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen<T> {
    /// It was read.
    Present(T),
    /// There is nothing.
    Absent,
    /// It could not be determined; why.
    Unknown(String),
}

impl<'f> View<'f> {
    pub(crate) fn new(facts: &'f Facts) -> Self {
        Self {
            facts,
            memo: RefCell::default(),
            patterns: Patterns::default(),
            secret: Cell::new(false),
        }
    }

    /// Begins to look anew at whether what is read is secret.
    pub(crate) fn fresh(&self) {
        self.secret.set(false);
    }

    /// Whether anything that was read since then is.
    pub(crate) fn read_secret(&self) -> bool {
        self.secret.get()
    }

    /// Patterns that were compiled already.
    pub(crate) fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    pub(crate) fn identity(&self) -> &'f Identity {
        &self.facts.identity
    }

    pub(crate) fn facts(&self) -> &'f Facts {
        self.facts
    }

    /// An answer as it is: none if it was not asked for.
    pub(crate) fn raw(&self, kind: &str, key: &str) -> Option<&'f Reading> {
        self.facts.reading(kind, key)
    }

    /// An answer that was parsed; parsing happens once.
    pub(crate) fn parsed<T: 'static>(
        &self,
        kind: &str,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Seen<Rc<T>> {
        let Some(reading) = self.facts.reading(kind, key) else {
            return Seen::Unknown("it was not collected".to_owned());
        };
        self.secret
            .set(self.secret.get() || reading.body.is_secret());
        match reading.rc {
            0 if reading.body.withheld() => {
                Seen::Unknown("it is secret and was not kept".to_owned())
            }
            0 if reading.body.truncated => {
                Seen::Unknown("there is too much of it to judge".to_owned())
            }
            0 => self.memoized(kind, key, || {
                parse(&String::from_utf8_lossy(reading.body.bytes()))
            }),
            1 => Seen::Absent,
            2 => Seen::Unknown("permission denied".to_owned()),
            _ => Seen::Unknown(brief(reading.body.bytes())),
        }
    }

    /// Something made of several answers; made once.
    pub(crate) fn memoized<T: 'static>(
        &self,
        kind: &str,
        key: &str,
        make: impl FnOnce() -> Result<T, String>,
    ) -> Seen<Rc<T>> {
        let at = (TypeId::of::<T>(), kind.to_owned(), key.to_owned());
        let known = self.memo.borrow().get(&at).cloned();
        let made = match known {
            Some((made, secret)) => {
                self.secret.set(self.secret.get() || secret);
                made
            }
            None => {
                let before = self.secret.replace(false);
                let made: Rc<dyn Any> = Rc::new(make().map(Rc::new));
                self.memo
                    .borrow_mut()
                    .insert(at, (Rc::clone(&made), self.secret.get()));
                self.secret.set(self.secret.get() || before);
                made
            }
        };
        match made.downcast_ref::<Result<Rc<T>, String>>() {
            Some(Ok(value)) => Seen::Present(Rc::clone(value)),
            Some(Err(why)) => Seen::Unknown(why.clone()),
            None => Seen::Unknown("it was read as something else".to_owned()),
        }
    }
}

impl<T> Seen<T> {
    /// What follows from what is there.
    pub(crate) fn and_then<U>(self, next: impl FnOnce(T) -> Seen<U>) -> Seen<U> {
        match self {
            Self::Present(value) => next(value),
            Self::Absent => Seen::Absent,
            Self::Unknown(why) => Seen::Unknown(why),
        }
    }

    /// What is observed of it; `absent` says what is not there.
    pub(crate) fn observe(self, absent: &str, present: impl FnOnce(T) -> Observed) -> Observed {
        match self {
            Self::Present(value) => present(value),
            Self::Absent => Observed::Missing(absent.to_owned()),
            Self::Unknown(why) => Observed::Unknown(why),
        }
    }
}
