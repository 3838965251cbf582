//! Validates the range of numbers and the number of keys of a map.

use serde_json::{Map, Value as Json};

use super::{SchemaValidator, quote_list, report_range};
use crate::catalog::codes;
use crate::catalog::yaml::deserialize::has_leading_zero;
use crate::catalog::yaml::node::{ByteRange, Node};

impl SchemaValidator<'_, '_> {
    /// Validates a whole number and its range.
    pub(crate) fn validate_integer(
        &mut self,
        rules: &Map<String, Json>,
        text: &str,
        span: &ByteRange,
        what: &str,
    ) -> bool {
        let limit = |name: &str| rules.get(name).and_then(Json::as_i64);
        let (min, max) = (limit("minimum"), limit("maximum"));
        let (message, help) = match text.parse::<i64>() {
            _ if has_leading_zero(text) => (
                format!("{what} has a leading zero, which YAML versions interpret differently"),
                "remove the leading zero".to_owned(),
            ),
            Ok(n) if min.is_none_or(|min| n >= min) && max.is_none_or(|max| n <= max) => {
                return true;
            }
            _ => {
                let help = match (min, max) {
                    (Some(min), Some(max)) => format!("use a whole number from {min} to {max}"),
                    (Some(min), None) => format!("use a whole number from {min}"),
                    _ => "use a whole number of at most 18 decimal digits".to_owned(),
                };
                (format!("{what} is out of range"), help)
            }
        };
        self.error(codes::NUMBER_RANGE, span.clone(), message)
            .help(help);
        false
    }

    /// Validates a number and its range.
    pub(crate) fn validate_number(
        &mut self,
        rules: &Map<String, Json>,
        text: &str,
        span: &ByteRange,
        what: &str,
    ) -> bool {
        let limit = |name: &str, none: f64| rules.get(name).and_then(Json::as_f64).unwrap_or(none);
        let (min, max) = (limit("minimum", f64::MIN), limit("maximum", f64::MAX));
        if !has_leading_zero(text.split('.').next().unwrap_or_default())
            && text.parse::<f64>().is_ok_and(|n| (min..=max).contains(&n))
        {
            return true;
        }
        self.error(
            codes::NUMBER_RANGE,
            span.clone(),
            format!("{what} is out of range"),
        )
        .help(format!("use a number from {min:?} to {max:?}"));
        false
    }

    /// Validates the number of keys of a map. Only "exactly one" is in use.
    pub(crate) fn validate_key_count(
        &mut self,
        rules: &Map<String, Json>,
        node: &Node,
        what: &str,
        key: Option<&ByteRange>,
    ) -> bool {
        let limit = |name: &str| {
            rules
                .get(name)
                .and_then(Json::as_u64)
                .and_then(|n| usize::try_from(n).ok())
        };
        let entries = node.entries();
        if limit("minProperties").is_some_and(|min| entries.len() < min) {
            let known = rules.get("properties").and_then(Json::as_object);
            let names = quote_list(known.into_iter().flat_map(super::current_keys));
            self.error(
                codes::WRONG_TYPE,
                report_range(node, key),
                format!("{what} is empty"),
            )
            .help(format!("add one of {names}"));
            return false;
        }
        let max = limit("maxProperties").unwrap_or(usize::MAX);
        let Some((extra, _)) = entries.get(max) else {
            return true;
        };
        let names = quote_list(entries.iter().map(|(k, _)| k.text.as_str()));
        self.error(
            codes::WRONG_TYPE,
            extra.span.clone(),
            format!("{what} must have exactly one key"),
        )
        .help(format!(
            "keep one of {names}, and move the others to separate entries"
        ));
        false
    }
}
