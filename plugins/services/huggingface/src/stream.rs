// SPDX-License-Identifier: Apache-2.0
//! Decoding token by token.
//!
//! A token's text depends on its neighbours: a character may be spread over tokens, and decoders trim what comes first.
//! What token n-1 adds is therefore decode(w..n) less decode(w..n-1), each without an incomplete last character. The
//! window starts at an anchor w: a token that ends whatever came before it, so that a longer window adds nothing.

use tokenizers::Tokenizer;

use crate::abi::{failure, Failure, E_INVALID};

/// What the decoder does that reaches over token borders.
pub struct Stream {
    byte_level: bool,
    byte_fallback: bool,
    /// Characters that may be cut from the front of a decoded text.
    strip: usize,
    byte_of: Vec<Option<u8>>,
}

impl Stream {
    pub fn new(tokenizer: &Tokenizer) -> Self {
        let decoder = tokenizer
            .get_decoder()
            .and_then(|decoder| serde_json::to_value(decoder).ok())
            .unwrap_or_default();
        let steps = match decoder.get("decoders").and_then(serde_json::Value::as_array) {
            Some(steps) => steps.clone(),
            None => vec![decoder],
        };
        let has = |name: &str| steps.iter().any(|step| step["type"] == name);
        let strip = steps
            .iter()
            .filter(|step| step["type"] == "Strip")
            .filter_map(|step| step["start"].as_u64())
            .max();
        Self {
            byte_level: has("ByteLevel"),
            byte_fallback: has("ByteFallback"),
            strip: strip.unwrap_or(0) as usize,
            byte_of: byte_alphabet(),
        }
    }

    pub fn next(
        &self,
        tokenizer: &Tokenizer,
        ids: &[i64],
        skip_special: bool,
    ) -> Result<String, Failure> {
        let Some((_, before)) = ids.split_last() else { return Ok(String::new()) };
        let first = self.anchor(tokenizer, before, skip_special);
        let window = narrow(&ids[first..], first)?;
        let settled = |ids: &[u32]| {
            self.settled(tokenizer, ids, skip_special)
                .or_else(|error| failure(E_INVALID, error.to_string()))
        };
        let old = settled(&window[..window.len() - 1])?;
        let new = settled(&window)?;
        if let Some(added) = new.strip_prefix(old.as_str()) {
            return Ok(added.to_owned());
        }
        if old.starts_with(new.as_str()) {
            return Ok(String::new());
        }
        // A run of byte tokens turned out not to be UTF-8. What was handed out cannot be taken back.
        Ok("\u{FFFD}".to_owned())
    }

    fn anchor(&self, tokenizer: &Tokenizer, ids: &[i64], skip_special: bool) -> usize {
        let token = |id: i64| self.token(tokenizer, u32::try_from(id).ok()?, skip_special);
        ids.iter().rposition(|&id| token(id).is_some_and(|text| self.anchors(&text))).unwrap_or(0)
    }

    fn anchors(&self, token: &str) -> bool {
        if self.byte_level {
            return self.bytes(token).first().is_some_and(|&byte| byte & 0xC0 != 0x80);
        }
        !(self.byte_fallback && fallback_byte(token).is_some())
            && token.chars().take(self.strip).count() == self.strip
            && !token.is_empty()
    }

    fn token(&self, tokenizer: &Tokenizer, id: u32, skip_special: bool) -> Option<String> {
        let vocabulary = tokenizer.get_added_vocabulary();
        let token = vocabulary.simple_id_to_token(id).or_else(|| tokenizer.id_to_token(id))?;
        (!skip_special || !vocabulary.is_special_token(&token)).then_some(token)
    }

    /// decode(ids) without an incomplete last character.
    fn settled(
        &self,
        tokenizer: &Tokenizer,
        ids: &[u32],
        skip_special: bool,
    ) -> tokenizers::Result<String> {
        let tokens = || {
            ids.iter()
                .enumerate()
                .filter_map(|(i, &id)| Some((i, self.token(tokenizer, id, skip_special)?)))
        };
        if self.byte_level {
            let bytes: Vec<u8> = tokens().flat_map(|(_, token)| self.bytes(&token)).collect();
            let mut text = tokenizer.decode(ids, skip_special)?;
            if incomplete(&bytes) > 0 && text.ends_with('\u{FFFD}') {
                text.pop();
            }
            return Ok(text);
        }
        let mut kept = ids.len();
        if self.byte_fallback {
            let mut run: Vec<(usize, u8)> = Vec::new();
            for (i, token) in tokens() {
                match fallback_byte(&token) {
                    Some(byte) => run.push((i, byte)),
                    None => run.clear(),
                }
            }
            let bytes: Vec<u8> = run.iter().map(|(_, byte)| *byte).collect();
            // A run with a broken character in it is settled: every byte of it has become U+FFFD.
            let broken =
                std::str::from_utf8(&bytes).is_err_and(|error| error.error_len().is_some());
            let pending = incomplete(&bytes);
            if pending > 0 && !broken {
                kept = run[run.len() - pending].0;
            }
        }
        tokenizer.decode(&ids[..kept], skip_special)
    }

    fn bytes(&self, token: &str) -> Vec<u8> {
        let byte = |c: char| self.byte_of.get(c as usize).copied().flatten();
        token
            .chars()
            .map(byte)
            .collect::<Option<Vec<u8>>>()
            .unwrap_or_else(|| token.as_bytes().to_vec())
    }
}

/// Ids as Tokenizers wants them; `first` is the index of the first, for the message.
pub fn narrow(ids: &[i64], first: usize) -> Result<Vec<u32>, Failure> {
    let narrow = |(i, &id): (usize, &i64)| {
        let why = || format!("id {id} at index {}: expected a token id, 0 or above", first + i);
        u32::try_from(id).or_else(|_| failure(E_INVALID, why()))
    };
    ids.iter().enumerate().map(narrow).collect()
}

/// How many bytes at the end begin a character that more bytes could complete.
fn incomplete(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let tail = &bytes[bytes.len() - back..];
        if tail[0] & 0xC0 == 0x80 {
            continue;
        }
        let unfinished = std::str::from_utf8(tail)
            .is_err_and(|e| e.error_len().is_none() && e.valid_up_to() == 0);
        return if unfinished { back } else { 0 };
    }
    0
}

/// The byte of a token such as "<0xE5>".
fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// The printable alphabet that stands for bytes in byte-level vocabularies (Radford et al., 2019): a printable Latin-1
/// byte is itself, the others follow from U+0100 on.
fn byte_alphabet() -> Vec<Option<u8>> {
    let mut byte_of = vec![None; 0x200];
    let mut next = 0x100;
    for byte in 0..=255u8 {
        let printable = matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
        let letter = if printable { byte as usize } else { next };
        next += usize::from(!printable);
        byte_of[letter] = Some(byte);
    }
    byte_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_counts_the_bytes_of_an_unfinished_character() {
        let rows: [(&[u8], usize); 9] = [
            (b"", 0),
            (b"a", 0),
            (b"\xF0", 1),
            (b"\xF0\x9F\x98", 3),
            (b"\xF0\x9F\x98\x80", 0),
            (b"a\xE5\x8F", 2),
            (b"\xE5a", 0),
            (b"\x80\x80\x80", 0),
            (b"\xF8", 0),
        ];
        for (bytes, expected) in rows {
            assert_eq!(incomplete(bytes), expected, "{bytes:?}");
        }
    }
}
