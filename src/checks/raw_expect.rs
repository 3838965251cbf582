//! Owns how an expectation is read: a bare value (equality) or a map with exactly one matcher, not yet checked.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// A scalar as YAML resolved it; what it must be depends on the property.
#[derive(Debug, Clone, PartialEq)]
pub enum RawScalar {
    /// `true` or `false`.
    Bool(bool),
    /// A plain whole number.
    Int(i64),
    /// Any other plain number.
    Float(f64),
    /// Everything else.
    Text(String),
}

/// One matcher before its operands are checked.
#[derive(Debug, Clone, PartialEq)]
pub enum RawMatcher {
    /// Equal; what a bare value means.
    Eq(RawScalar),
    /// The opposite of another matcher.
    Not(Box<RawMatcher>),
    /// A regular expression is found.
    Match(RawScalar),
    /// A text is found.
    Include(RawScalar),
    /// Equal to one of these.
    In(Vec<RawScalar>),
    /// No more than this.
    AtMost(RawScalar),
    /// No less than this.
    AtLeast(RawScalar),
}

/// The matchers' names.
pub(crate) const MATCHERS: &[&str] = &["eq", "not", "match", "include", "in", "at_most", "at_least"];

macro_rules! expectations {
    ($($(#[$doc:meta])* $name:ident: $scalar:tt;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name(pub RawMatcher);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                RawMatcher::deserialize(deserializer).map(Self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let nested = generator.subschema_for::<Self>();
                matcher_schema(&json_schema!($scalar), &nested)
            }
        }
    )*};
}

/// What every kind of expectation is read as.
pub type RawExpect = RawMatcher;

expectations! {
    /// An expectation of bytes.
    ExpectText: {"type": "string"};
    /// An expectation of a whole number.
    ExpectNumber: {"type": "integer"};
    /// An expectation of octal permission bits.
    ExpectMode: {"type": "string", "pattern": "^[0-7]{3,4}$"};
    /// An expectation of a user or group.
    ExpectOwner: {"type": ["string", "integer"]};
    /// An expectation of a version.
    ExpectVersion: {"type": "string"};
    /// An expectation of what a path is.
    ExpectType: {"enum": ["file", "directory", "link", "socket", "pipe", "char", "block"]};
}

fn matcher_schema(scalar: &Schema, nested: &Schema) -> Schema {
    json_schema!({"anyOf": [scalar, {
        "type": "object",
        "description": "exactly one matcher",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
        "properties": {
            "eq": scalar,
            "not": nested,
            "match": {"type": "string", "description": "a regular expression; ^ and $ match at line ends, classes are ASCII"},
            "include": {"type": "string", "description": "a text it contains"},
            "in": {"type": "array", "items": scalar, "minItems": 1},
            "at_most": scalar,
            "at_least": scalar,
        },
    }]})
}

impl<'de> Deserialize<'de> for RawMatcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MatcherVisitor)
    }
}

struct MatcherVisitor;

impl<'de> Visitor<'de> for MatcherVisitor {
    type Value = RawMatcher;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, or a map with one of eq, not, match, include, in, at_most, at_least")
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<RawMatcher, E> {
        ScalarVisitor.visit_bool(v).map(RawMatcher::Eq)
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<RawMatcher, E> {
        ScalarVisitor.visit_i64(v).map(RawMatcher::Eq)
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<RawMatcher, E> {
        ScalarVisitor.visit_u64(v).map(RawMatcher::Eq)
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<RawMatcher, E> {
        ScalarVisitor.visit_f64(v).map(RawMatcher::Eq)
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<RawMatcher, E> {
        ScalarVisitor.visit_str(v).map(RawMatcher::Eq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawMatcher, A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(A::Error::custom("an empty map expects nothing: name one matcher, such as `eq`"));
        };
        let matcher = match name.as_str() {
            "eq" => RawMatcher::Eq(map.next_value()?),
            "not" => RawMatcher::Not(Box::new(map.next_value()?)),
            "match" => RawMatcher::Match(map.next_value()?),
            "include" => RawMatcher::Include(map.next_value()?),
            "in" => RawMatcher::In(map.next_value()?),
            "at_most" => RawMatcher::AtMost(map.next_value()?),
            "at_least" => RawMatcher::AtLeast(map.next_value()?),
            other => return Err(A::Error::unknown_field(other, MATCHERS)),
        };
        match map.next_key::<String>()? {
            None => Ok(matcher),
            Some(second) => Err(A::Error::custom(format!(
                "`{name}` and `{second}` in one expectation: write one matcher, and a second check for the other"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for RawScalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = RawScalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value")
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<RawScalar, E> {
        Ok(RawScalar::Bool(v))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<RawScalar, E> {
        Ok(RawScalar::Int(v))
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<RawScalar, E> {
        i64::try_from(v).map(RawScalar::Int).map_err(|_| E::custom(format!("{v} is too large")))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<RawScalar, E> {
        Ok(RawScalar::Float(v))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<RawScalar, E> {
        Ok(RawScalar::Text(v.to_owned()))
    }
}
