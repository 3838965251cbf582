//! Defines the entries of `scripts`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::text::Text;
use crate::catalog::syntax;
use crate::catalog::yaml::deserialize::Spanned;

/// A script: a path, or a map with options.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "Script")]
pub(crate) enum RawScript {
    /// Path relative to the root of the repository.
    Path(#[schemars(regex(pattern = syntax::PATH.pattern))] String),
    /// Path and options.
    Options(Box<RawScriptOptions>),
}

/// A script with options.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ScriptOptions")]
pub(crate) struct RawScriptOptions {
    /// Path relative to the root of the repository.
    #[schemars(required, regex(pattern = syntax::PATH.pattern))]
    pub(crate) path: Option<Text>,
    /// Environment variables. Values arrive verbatim. They are not secret.
    #[serde(default)]
    pub(crate) env: BTreeMap<Text, Spanned<RawWord>>,
    /// Arguments. They arrive verbatim.
    #[serde(default)]
    pub(crate) args: Vec<Spanned<RawWord>>,
    /// Time limit, such as `10m`. The script and its children are stopped when it is over. Default:
    /// no limit.
    #[schemars(regex(pattern = syntax::DURATION.pattern))]
    pub(crate) timeout: Option<Text>,
    /// True if the script may reboot the instance. The build then waits up to 10 minutes until the
    /// instance is reachable again. Default: `false`.
    pub(crate) reboot: Option<bool>,
    /// User that runs the script. Default: `root`.
    #[schemars(regex(pattern = syntax::ACCOUNT_NAME.pattern))]
    pub(crate) user: Option<Text>,
}

/// A text, a whole number or a boolean, which is used as text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum RawWord {
    /// Text.
    Text(String),
    /// Whole number.
    Number(i64),
    /// Boolean.
    Boolean(bool),
}

impl fmt::Display for RawWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Boolean(value) => write!(f, "{value}"),
        }
    }
}

/// The derived implementation for untagged enums would lose the byte ranges of the options.
impl<'de> Deserialize<'de> for RawScript {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScriptVisitor;
        impl<'de> Visitor<'de> for ScriptVisitor {
            type Value = RawScript;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a map with `path`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawScript, E> {
                Ok(RawScript::Path(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawScript, A::Error> {
                RawScriptOptions::deserialize(MapAccessDeserializer::new(map))
                    .map(|options| RawScript::Options(Box::new(options)))
            }
        }
        deserializer.deserialize_any(ScriptVisitor)
    }
}
