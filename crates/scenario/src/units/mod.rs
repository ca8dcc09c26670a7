//! The notations in which people write sizes, rates, durations and shares, on a command line and in a file alike: each
//! has one parser, and what it shows can be typed again.

mod duration;
mod share;
mod size;

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

pub use duration::{BadSpan, Span, human_duration, human_seconds};
pub use share::{BadShare, Share};
pub use size::{BadRate, BadSize, Rate, Size, human_bytes};

/// Reads a text in a notation of ours; the complaint about another kind of value shows a good one.
struct Written<T> {
    like: &'static str,
    whole_numbers: bool,
    of: PhantomData<T>,
}

impl<T> Visitor<'_> for Written<T>
where
    T: FromStr<Err: fmt::Display>,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text like {}", self.like)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        if self.whole_numbers {
            return number.to_string().parse().map_err(E::custom);
        }
        Err(E::invalid_type(serde::de::Unexpected::Signed(number), &self))
    }
}

macro_rules! deserialized_from_text {
    ($type:ty, $like:literal, $whole_numbers:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let written = Written { like: $like, whole_numbers: $whole_numbers, of: PhantomData };
                deserializer.deserialize_any(written)
            }
        }
    };
}

// Of sizes alone it is plain what a bare number means.
deserialized_from_text!(Size, "\"64K\" or \"2G\"", true);
deserialized_from_text!(Rate, "\"400mbit\" or \"50M\"", false);
deserialized_from_text!(Span, "\"500ms\" or \"1h30m\"", false);
deserialized_from_text!(Share, "\"0.1%\"", false);
