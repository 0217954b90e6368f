// SPDX-License-Identifier: Apache-2.0
//! Ids 0 to 255 are bytes, 256 begins a text, 257 ends one.
mod attune;

use attune::{create_tokenizer, fail, Result, Span, TokenOffset, Tokenizer, Turn, Value, E_INVALID};

struct @Name@;

impl Tokenizer for @Name@ {
    fn new(_options: &Value) -> Result<Self> {
        Ok(Self)
    }

    fn vocabulary(&self) -> i64 {
        258
    }

    fn token(&self, name: &str) -> Option<i64> {
        match name {
            "bos" | "<s>" => Some(256),
            "eos" | "</s>" => Some(257),
            _ if name.len() == 1 => Some(name.as_bytes()[0].into()),
            _ => None,
        }
    }

    fn encode(&self, text: &str, add_special: bool) -> Result<(Vec<i64>, Vec<TokenOffset>)> {
        let (mut ids, mut offsets) = (vec![], vec![]);
        if add_special {
            ids.push(256);
            offsets.push(TokenOffset { begin: 0, end: 0 });
        }
        for (i, byte) in text.bytes().enumerate() {
            ids.push(byte.into());
            offsets.push(TokenOffset { begin: i, end: i + 1 });
        }
        Ok((ids, offsets))
    }

    fn bytes(&self, ids: &[i64], skip_special: bool) -> Result<Vec<u8>> {
        let mut made = vec![];
        for &id in ids {
            match id {
                0..=255 => made.push(id as u8),
                256 | 257 if skip_special => {}
                256 => made.extend(b"<s>"),
                257 => made.extend(b"</s>"),
                _ => return fail(E_INVALID, format!("expected token ids below 258, found {id}")),
            }
        }
        Ok(made)
    }

    fn render(&self, turns: &[Turn], generation_prompt: bool) -> Result<(String, Vec<Span>)> {
        let (mut text, mut spans) = (String::new(), vec![]);
        for (turn, about) in turns.iter().enumerate() {
            text += &about.role.text();
            text += ": ";
            let begin = text.len();
            text += &about.text()?;
            spans.push(Span { begin, end: text.len(), turn });
            text.push('\n');
        }
        if generation_prompt {
            text += "assistant: ";
        }
        Ok((text, spans))
    }
}

plugin!("tokenizer/1", "@name@", create_tokenizer::<@Name@>);
