//! Caches values that are computed from facts.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::facts::error::ReadError;

/// Result of a computation.
pub(crate) type Computed<T> = Result<Rc<T>, ReadError>;

/// Cached result, and whether its computation read a secret.
#[derive(Clone)]
struct Entry {
    result: Rc<dyn Any>,
    secret: bool,
}

/// Results by type, kind of facts and key.
#[derive(Default)]
pub(crate) struct Memo {
    entries: RefCell<HashMap<(TypeId, String, String), Entry>>,
}

impl Memo {
    /// Returns a cached result, and whether its computation read a secret.
    pub(crate) fn get<T: 'static>(&self, kind: &str, key: &str) -> Option<(Computed<T>, bool)> {
        let id = (TypeId::of::<T>(), kind.to_owned(), key.to_owned());
        let entries = self.entries.borrow();
        let entry = entries.get(&id)?;
        let result = entry.result.downcast_ref::<Computed<T>>()?;
        Some((result.clone(), entry.secret))
    }

    /// Stores a result.
    pub(crate) fn insert<T: 'static>(
        &self,
        kind: &str,
        key: &str,
        result: Computed<T>,
        secret: bool,
    ) {
        let id = (TypeId::of::<T>(), kind.to_owned(), key.to_owned());
        let entry = Entry {
            result: Rc::new(result),
            secret,
        };
        self.entries.borrow_mut().insert(id, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_different_types_have_own_entries() {
        let memo = Memo::default();
        memo.insert("file", "/a", Ok(Rc::new(1_u32)), false);
        memo.insert("file", "/a", Ok(Rc::new("text".to_owned())), true);
        let number = memo.get::<u32>("file", "/a").expect("number");
        let text = memo.get::<String>("file", "/a").expect("text");
        assert_eq!((*number.0.expect("value"), number.1), (1, false));
        assert_eq!((text.0.expect("value").as_str(), text.1), ("text", true));
        assert!(memo.get::<u32>("file", "/b").is_none());
        assert!(memo.get::<bool>("file", "/a").is_none());
    }
}
