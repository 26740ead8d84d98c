//! Values of statements. Their types go along, so that a statement needs no preparation and leaves nothing behind on the connection: behind
//! a pooler the next transaction may have another one.

use std::borrow::Cow;

use tokio_postgres::types::{ToSql, Type};

/// A value and its type.
pub(super) struct Value<'a> {
    value: Box<dyn ToSql + Send + Sync + 'a>,
    kind: Type,
}

impl<'a> Value<'a> {
    fn new(value: impl ToSql + Send + Sync + 'a, kind: Type) -> Self {
        Self {
            value: Box::new(value),
            kind,
        }
    }

    /// As the driver takes it.
    pub(super) fn as_parameter(&self) -> (&(dyn ToSql + Sync), Type) {
        (&*self.value, self.kind.clone())
    }
}

/// The values of a statement, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::store::postgres::values::Value::from($value)),*]
    };
}
pub(super) use values;

/// A text as it can be stored: PostgreSQL has none with a NUL in it.
pub(super) fn without_nul(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "")),
        false => Cow::Borrowed(text),
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::new(without_nul(text), Type::TEXT)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::new(text.map(without_nul), Type::TEXT)
    }
}

impl<'a> From<Vec<&'a str>> for Value<'a> {
    fn from(texts: Vec<&'a str>) -> Self {
        let texts: Vec<Cow<'a, str>> = texts.into_iter().map(without_nul).collect();
        Self::new(texts, Type::TEXT_ARRAY)
    }
}

impl<'a> From<Vec<Option<&'a str>>> for Value<'a> {
    fn from(texts: Vec<Option<&'a str>>) -> Self {
        let texts: Vec<Option<Cow<'a, str>>> = texts.into_iter().map(|text| text.map(without_nul)).collect();
        Self::new(texts, Type::TEXT_ARRAY)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::new(number, Type::INT8)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::from(i64::from(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::new(number, Type::INT8)
    }
}

impl From<Vec<i64>> for Value<'_> {
    fn from(numbers: Vec<i64>) -> Self {
        Self::new(numbers, Type::INT8_ARRAY)
    }
}

impl From<Vec<Option<i64>>> for Value<'_> {
    fn from(numbers: Vec<Option<i64>>) -> Self {
        Self::new(numbers, Type::INT8_ARRAY)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::new(bytes, Type::BYTEA)
    }
}

impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(bytes: Option<&'a [u8]>) -> Self {
        Self::new(bytes, Type::BYTEA)
    }
}

impl<'a> From<Vec<&'a [u8]>> for Value<'a> {
    fn from(bytes: Vec<&'a [u8]>) -> Self {
        Self::new(bytes, Type::BYTEA_ARRAY)
    }
}

impl<'a> From<Vec<Option<&'a [u8]>>> for Value<'a> {
    fn from(bytes: Vec<Option<&'a [u8]>>) -> Self {
        Self::new(bytes, Type::BYTEA_ARRAY)
    }
}
