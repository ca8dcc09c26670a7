//! Types that stand in JSON as a text, read where it stands: announces and look-ups are full of them, and a tracker that
//! first copied each would spend more on the copies than on the values.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

/// Reads a text with `read`, the one checked constructor of its type.
pub(crate) fn read_text<'de, D, T, E>(d: D, read: fn(&str) -> Result<T, E>) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    d.deserialize_str(Text(read))
}

struct Text<T, E>(fn(&str) -> Result<T, E>);

impl<T, E: fmt::Display> Visitor<'_> for Text<T, E> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<X: Error>(self, text: &str) -> Result<T, X> {
        (self.0)(text).map_err(X::custom)
    }
}

/// Serializes `$name` with its `Display` and reads it with its `FromStr`.
macro_rules! serde_as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                $crate::serde_text::read_text(d, str::parse::<$name>)
            }
        }
    };
}

pub(crate) use serde_as_text;
