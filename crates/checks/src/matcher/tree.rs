//! Defines values as written in YAML, before their type is known.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// Value from YAML; maps keep the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Boolean.
    Bool(bool),
    /// Whole number.
    Int(i64),
    /// Other number.
    Float(f64),
    /// Other scalar.
    Text(String),
    /// List.
    List(Vec<Tree>),
    /// Map.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// Returns the value of a key of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value)
    }

    /// Returns the entries of a map; empty for other values.
    #[must_use]
    pub fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the content of a text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Formats a scalar as text; `None` for a list or map.
    #[must_use]
    pub fn scalar_text(&self) -> Option<String> {
        match self {
            Self::Bool(v) => Some(v.to_string()),
            Self::Int(v) => Some(v.to_string()),
            Self::Float(v) => Some(v.to_string()),
            Self::Text(v) => Some(v.clone()),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Returns the items of a list, or the value itself.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            other => std::slice::from_ref(other),
        }
    }

    /// Describes the type for messages.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// Replaces all texts.
    ///
    /// # Errors
    /// Returns the first error of `change`.
    pub(crate) fn map_texts<E>(
        &self,
        change: &mut dyn FnMut(&str) -> Result<Self, E>,
    ) -> Result<Self, E> {
        Ok(match self {
            Self::Text(text) => change(text)?,
            Self::List(items) => Self::List(
                items
                    .iter()
                    .map(|i| i.map_texts(change))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Map(entries) => {
                let each =
                    |(k, v): &(String, Self), change: &mut dyn FnMut(&str) -> Result<Self, E>| {
                        v.map_texts(change).map(|v| (k.clone(), v))
                    };
                Self::Map(
                    entries
                        .iter()
                        .map(|entry| each(entry, change))
                        .collect::<Result<_, _>>()?,
                )
            }
            other => other.clone(),
        })
    }

    /// Calls `visit` with each text.
    pub(crate) fn visit_texts<'t>(&'t self, visit: &mut dyn FnMut(&'t str)) {
        match self {
            Self::Text(text) => visit(text),
            Self::List(items) => items.iter().for_each(|i| i.visit_texts(visit)),
            Self::Map(entries) => entries.iter().for_each(|(_, v)| v.visit_texts(visit)),
            _ => {}
        }
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(v) => serializer.serialize_bool(*v),
            Self::Int(v) => serializer.serialize_i64(*v),
            Self::Float(v) => serializer.serialize_f64(*v),
            Self::Text(v) => serializer.serialize_str(v),
            Self::List(items) => items.serialize(serializer),
            Self::Map(entries) => serializer.collect_map(entries.iter().map(|(k, v)| (k, v))),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a map")
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(v))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Tree, E> {
        Ok(Tree::Int(v))
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Tree, E> {
        i64::try_from(v)
            .map(Tree::Int)
            .map_err(|_| E::custom(format!("{v} is too large")))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Tree, E> {
        Ok(Tree::Float(v))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Tree, E> {
        Ok(Tree::Text(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}
