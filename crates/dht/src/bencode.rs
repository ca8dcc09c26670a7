//! Bencoding (BEP 3), strictly: what is decoded has exactly one encoding, bounded in depth, and borrowed from the
//! datagram. Anything else is garbage (threats A18, A22).

/// Deepest nesting that is read. Messages of the DHT need four: the message, its arguments, a list, its strings.
const MAX_DEPTH: usize = 6;
/// Most values that are read: a hostile datagram of `le` pairs allots at most these.
const MAX_VALUES: usize = 512;

/// A value, borrowed from the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Dict(Dict<'a>),
}

/// A dictionary, its keys in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dict<'a>(Vec<(&'a [u8], Value<'a>)>);

impl<'a> Dict<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&Value<'a>> {
        let found = self.0.binary_search_by(|(known, _)| (*known).cmp(key.as_bytes())).ok()?;
        Some(&self.0[found].1)
    }

    pub(crate) fn bytes(&self, key: &str) -> Option<&'a [u8]> {
        match self.get(key)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn int(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }

    pub(crate) fn list(&self, key: &str) -> Option<&[Value<'a>]> {
        match self.get(key)? {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub(crate) fn dict(&self, key: &str) -> Option<&Dict<'a>> {
        match self.get(key)? {
            Value::Dict(dict) => Some(dict),
            _ => None,
        }
    }
}

/// Reads one value that is all of `bytes`; `None` when it is not the canonical encoding of one.
pub(crate) fn decode(bytes: &[u8]) -> Option<Value<'_>> {
    let mut reader = Reader { rest: bytes, values: 0 };
    let value = reader.value(0)?;
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a [u8],
    values: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.values += 1;
        if depth >= MAX_DEPTH || self.values > MAX_VALUES {
            return None;
        }
        match self.rest.first()? {
            b'i' => {
                self.skip();
                self.number(b'e').map(Value::Int)
            }
            b'0'..=b'9' => self.bytes().map(Value::Bytes),
            b'l' => {
                self.skip();
                let mut list = Vec::new();
                while !self.ends()? {
                    list.push(self.value(depth + 1)?);
                }
                Some(Value::List(list))
            }
            b'd' => {
                self.skip();
                let mut dict: Vec<(&[u8], Value)> = Vec::new();
                while !self.ends()? {
                    let key = self.bytes()?;
                    if dict.last().is_some_and(|(before, _)| *before >= key) {
                        return None;
                    }
                    dict.push((key, self.value(depth + 1)?));
                }
                Some(Value::Dict(Dict(dict)))
            }
            _ => None,
        }
    }

    fn skip(&mut self) {
        self.rest = &self.rest[1..];
    }

    /// Whether the list or dictionary ends here, and steps over its end.
    fn ends(&mut self) -> Option<bool> {
        let ends = *self.rest.first()? == b'e';
        if ends {
            self.skip();
        }
        Some(ends)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number(b':')?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    /// A number up to `end`, written as it must be: no plus, no leading zero, no minus zero.
    fn number(&mut self, end: u8) -> Option<i64> {
        let length = self.rest.iter().position(|byte| *byte == end)?;
        let text = std::str::from_utf8(&self.rest[..length]).ok()?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == text || digits != "0")
            && (digits.len() == 1 || !digits.starts_with('0'));
        self.rest = &self.rest[length + 1..];
        is_plain.then(|| text.parse().ok()).flatten()
    }
}

/// Writes values one after the other; the caller opens and closes, and gives the keys of a dictionary in order.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn dict(&mut self) -> &mut Self {
        self.out.push(b'd');
        self
    }

    pub(crate) fn list(&mut self) -> &mut Self {
        self.out.push(b'l');
        self
    }

    pub(crate) fn end(&mut self) -> &mut Self {
        self.out.push(b'e');
        self
    }

    pub(crate) fn int(&mut self, int: i64) -> &mut Self {
        self.out.extend_from_slice(format!("i{int}e").as_bytes());
        self
    }

    /// A string, or a key.
    pub(crate) fn bytes(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.out.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
        self.out.extend_from_slice(bytes);
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(value: &Value<'_>, out: &mut Writer) {
        match value {
            Value::Int(int) => {
                out.int(*int);
            }
            Value::Bytes(bytes) => {
                out.bytes(bytes);
            }
            Value::List(list) => {
                out.list();
                for value in list {
                    write(value, out);
                }
                out.end();
            }
            Value::Dict(Dict(dict)) => {
                out.dict();
                for (key, value) in dict {
                    out.bytes(key);
                    write(value, out);
                }
                out.end();
            }
        }
    }

    #[test]
    fn a22_what_is_not_canonical_is_refused() {
        for text in [
            "",
            "i",
            "ie",
            "i-e",
            "i-0e",
            "i01e",
            "i+1e",
            "i1",
            "i 1e",
            "i9223372036854775808e",
            "01:a",
            "-1:a",
            "2:a",
            ":",
            "l",
            "d",
            "di1ei2ee",
            "d1:a",
            "d1:ae",
            "d1:b0:1:a0:e",
            "d1:a0:1:a0:e",
            "e",
            "lee",
            "i1ei2e",
            "x",
            "99999999999999999999:a",
        ] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        for text in ["i0e", "i-1e", "0:", "le", "de", "d0:0:1:a0:2:aai5ee", "llllleeeee"] {
            assert!(decode(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn a22_depth_and_number_of_values_are_bounded() {
        assert!(decode(format!("{}{}", "l".repeat(MAX_DEPTH), "e".repeat(MAX_DEPTH)).as_bytes()).is_some());
        assert!(
            decode(format!("{0}{1}", "l".repeat(MAX_DEPTH + 1), "e".repeat(MAX_DEPTH + 1)).as_bytes())
                .is_none()
        );
        assert!(decode(format!("l{}e", "0:".repeat(MAX_VALUES - 1)).as_bytes()).is_some());
        assert!(decode(format!("l{}e", "0:".repeat(MAX_VALUES)).as_bytes()).is_none());
        assert!(decode(&b"l".repeat(2_000)).is_none());
    }

    proptest! {
        #[test]
        fn a22_what_is_read_is_written_back_as_it_was(text in "[dile0-9:ab-]{0,40}") {
            if let Some(value) = decode(text.as_bytes()) {
                let mut out = Writer::default();
                write(&value, &mut out);
                prop_assert_eq!(out.finish(), text.as_bytes());
            }
        }

        #[test]
        fn a22_no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
