//! Deserializes a tree of nodes with serde. Errors and [`Spanned`] values keep their byte range.

use std::fmt;

use serde::Deserialize;
use serde::de::value::SeqDeserializer;
use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor,
};

use crate::catalog::yaml::node::{ByteRange, Key, Node, Scalar, Value};

/// Deserializes a value of type `T`.
///
/// # Errors
/// Returns the first value that does not match the type.
pub(crate) fn from_node<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<T, DeserializeError> {
    T::deserialize(NodeDeserializer(node))
}

/// Value that does not match its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeserializeError {
    /// Byte range of the innermost value that is known.
    pub(crate) span: Option<ByteRange>,
    /// Description of the problem.
    pub(crate) message: String,
}

impl DeserializeError {
    fn with_span(mut self, span: &ByteRange) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl fmt::Display for DeserializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DeserializeError {}

impl de::Error for DeserializeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            span: None,
            message: message.to_string(),
        }
    }
}

/// Value with its byte range. Only [`from_node`] can create one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: ByteRange,
}

const SPANNED: &str = "__bakeline_spanned";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpannedVisitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
            type Value = Spanned<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its byte range")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Spanned<T>, A::Error> {
                let missing = || de::Error::custom("the byte range is missing");
                let (start, value) = map.next_entry::<usize, T>()?.ok_or_else(missing)?;
                let end = map.next_key::<usize>()?.ok_or_else(missing)?;
                Ok(Spanned {
                    value,
                    span: start..end,
                })
            }
        }
        deserializer.deserialize_newtype_struct(SPANNED, SpannedVisitor(std::marker::PhantomData))
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<T>()
    }
}

impl PartialOrd for Spanned<String> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Spanned<String> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.value, self.span.start, self.span.end).cmp(&(
            &other.value,
            other.span.start,
            other.span.end,
        ))
    }
}

/// Passes the three parts of a [`Spanned`] to its visitor: start, value, end.
struct SpannedParts<D> {
    inner: Option<D>,
    keys: std::array::IntoIter<usize, 2>,
}

impl<D> SpannedParts<D> {
    fn new(inner: D, span: &ByteRange) -> Self {
        Self {
            inner: Some(inner),
            keys: [span.start, span.end].into_iter(),
        }
    }
}

impl<'de, D: serde::Deserializer<'de, Error = DeserializeError>> MapAccess<'de>
    for SpannedParts<D>
{
    type Error = DeserializeError;
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DeserializeError> {
        self.keys
            .next()
            .map(|at| seed.deserialize(at.into_deserializer()))
            .transpose()
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DeserializeError> {
        match self.inner.take() {
            Some(inner) => seed.deserialize(inner),
            None => Err(de::Error::custom("the value was requested twice")),
        }
    }
}

struct NodeDeserializer<'de>(&'de Node);

impl<'de> NodeDeserializer<'de> {
    fn visit_value<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        match &self.0.value {
            Value::Scalar { text, kind } => match kind {
                Scalar::Null => visitor.visit_unit(),
                Scalar::Bool(b) => visitor.visit_bool(*b),
                Scalar::Text => visitor.visit_borrowed_str(text),
                Scalar::Integer => match (text.parse::<u64>(), text.parse::<i64>()) {
                    _ if has_leading_zero(text) => visitor.visit_borrowed_str(text),
                    (Ok(n), _) => visitor.visit_u64(n),
                    (_, Ok(n)) => visitor.visit_i64(n),
                    _ => visitor.visit_borrowed_str(text),
                },
                Scalar::Float => match text.parse::<f64>() {
                    Ok(n) if n.is_finite() => visitor.visit_f64(n),
                    _ => visitor.visit_borrowed_str(text),
                },
            },
            Value::List(items) => {
                let mut seq = SeqDeserializer::new(items.iter().map(NodeDeserializer));
                let out = visitor.visit_seq(&mut seq)?;
                seq.end()?;
                Ok(out)
            }
            Value::Map(entries) => visitor.visit_map(Entries {
                entries: entries.iter(),
                value: None,
            }),
        }
    }
}

/// Returns true for a number with a leading zero, which YAML 1.1 and 1.2 interpret differently.
pub(crate) fn has_leading_zero(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0')
}

impl<'de> IntoDeserializer<'de, DeserializeError> for NodeDeserializer<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> serde::Deserializer<'de> for NodeDeserializer<'de> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        let span = &self.0.span;
        self.visit_value(visitor).map_err(|e| e.with_span(span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        let span = &self.0.span;
        match &self.0.value {
            Value::Scalar {
                kind: Scalar::Null, ..
            } => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|e: DeserializeError| e.with_span(span))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        let node = self.0;
        if name == SPANNED {
            visitor.visit_map(SpannedParts::new(NodeDeserializer(node), &node.span))
        } else {
            visitor.visit_newtype_struct(self)
        }
        .map_err(|e| e.with_span(&node.span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        let node = self.0;
        match &node.value {
            Value::Scalar {
                text,
                kind: Scalar::Text,
            } => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Map(entries) if entries.len() == 1 => visitor.visit_enum(Variant(&entries[0])),
            _ => Err(de::Error::custom(format!(
                "expected one word or one key, found {}",
                node.describe()
            ))),
        }
        .map_err(|e: DeserializeError| e.with_span(&node.span))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, (Key, Node)>,
    value: Option<&'de (Key, Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = DeserializeError;
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DeserializeError> {
        let Some(entry) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(entry);
        seed.deserialize(KeyDeserializer(&entry.0)).map(Some)
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DeserializeError> {
        match self.value.take() {
            Some((_, node)) => seed.deserialize(NodeDeserializer(node)),
            None => Err(de::Error::custom("a value was requested before its key")),
        }
    }
}

struct KeyDeserializer<'de>(&'de Key);

impl<'de> serde::Deserializer<'de> for KeyDeserializer<'de> {
    type Error = DeserializeError;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor
            .visit_borrowed_str(&self.0.text)
            .map_err(|e: DeserializeError| e.with_span(&self.0.span))
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        if name == SPANNED {
            let span = &self.0.span;
            visitor.visit_map(SpannedParts::new(self, span))
        } else {
            visitor.visit_newtype_struct(self)
        }
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Variant<'de>(&'de (Key, Node));

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = DeserializeError;
    type Variant = NodeDeserializer<'de>;
    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, NodeDeserializer<'de>), DeserializeError> {
        let (key, node) = self.0;
        Ok((
            seed.deserialize(KeyDeserializer(key))?,
            NodeDeserializer(node),
        ))
    }
}

impl<'de> VariantAccess<'de> for NodeDeserializer<'de> {
    type Error = DeserializeError;
    fn unit_variant(self) -> Result<(), DeserializeError> {
        <()>::deserialize(self)
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DeserializeError> {
        seed.deserialize(self)
    }
    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        serde::Deserializer::deserialize_any(self, visitor)
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        serde::Deserializer::deserialize_any(self, visitor)
    }
}
