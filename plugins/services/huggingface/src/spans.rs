// SPDX-License-Identifier: Apache-2.0
//! Where each turn's content lies in a rendered conversation.
//!
//! A template is a program, so its output says nothing about where a content went. Two marks that occur nowhere else,
//! private-use characters, are put around a content before rendering; where they come out is where the content is. The
//! proof that a mark changed nothing is that the marked text without its marks is the plain text.

use std::collections::HashSet;

use crate::abi::{failure, Failure, Span, E_UNSUPPORTED};
use crate::template::{is_space, Message, Part, Template};

pub struct Rendered {
    pub text: String,
    pub spans: Vec<Span>,
}

/// Byte positions of the two marks: one in the first text part of a turn, one in the last.
#[derive(Clone, Copy)]
struct Marks {
    begin: Option<usize>,
    end: Option<usize>,
}

enum Found {
    Changed,
    Repeated,
    At(Option<usize>, Option<usize>),
}

struct Search<'a> {
    template: &'a Template,
    messages: &'a [Message],
    generation_prompt: bool,
    plain: String,
    marks: Vec<(char, char)>,
}

pub fn render(
    template: &Template,
    messages: &[Message],
    generation_prompt: bool,
) -> Result<Rendered, Failure> {
    let plain = template.render(messages, generation_prompt)?;
    let marks = unused_marks(&plain, messages);
    if marks.len() < messages.len() {
        let why = format!(
            "a conversation of {} turns; at most {} can be told apart",
            messages.len(),
            marks.len()
        );
        return failure(E_UNSUPPORTED, why);
    }
    let search = Search { template, messages, generation_prompt, plain, marks };
    let mut spans = search.spans()?;
    spans.sort_by_key(|span| (span.begin, span.turn));
    Ok(Rendered { text: search.plain, spans })
}

fn unused_marks(plain: &str, messages: &[Message]) -> Vec<(char, char)> {
    let private = |c: &char| matches!(c, '\u{F0000}'..='\u{FFFFD}' | '\u{100000}'..='\u{10FFFD}');
    let texts = messages.iter().flat_map(|message| &message.parts).filter_map(text_of);
    let used: HashSet<char> = texts.chain([plain]).flat_map(str::chars).filter(private).collect();
    let mut free = ('\u{F0000}'..='\u{10FFFD}').filter(|c| private(c) && !used.contains(c));
    std::iter::from_fn(|| Some((free.next()?, free.next()?))).take(messages.len()).collect()
}

fn text_of(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text),
        Part::Media(_) => None,
    }
}

impl Search<'_> {
    fn spans(&self) -> Result<Vec<Span>, Failure> {
        // Nearly every conversation is settled by one marked rendering. A content that begins or ends with white space,
        // or is empty, may be written differently for being marked: then it is left out here and looked at alone.
        let all: Vec<Option<Marks>> =
            (0..self.messages.len()).map(|turn| self.around(turn)).collect();
        let bare = |turn: usize| {
            self.content(turn).is_some_and(|(first, last)| {
                !first.is_empty() && !first.starts_with(is_space) && !last.ends_with(is_space)
            })
        };
        let safe: Vec<Option<Marks>> =
            all.iter().enumerate().map(|(turn, marks)| marks.filter(|_| bare(turn))).collect();
        let mut found = self.try_marks(&all);
        if found.iter().any(|found| matches!(found, Found::Changed)) {
            found = self.try_marks(&safe);
        }

        let mut spans = Vec::new();
        for (turn, found) in found.into_iter().enumerate() {
            let place = match found {
                _ if all[turn].is_none() => None,
                Found::At(Some(begin), Some(end)) => Some((begin, end)),
                _ => self.solve(turn)?,
            };
            spans.extend(place.map(|(begin, end)| Span { begin, end, turn }));
        }
        Ok(spans)
    }

    /// The first and the last text of a turn.
    fn content(&self, turn: usize) -> Option<(&str, &str)> {
        let mut texts = self.messages[turn].parts.iter().filter_map(text_of);
        let first = texts.next()?;
        Some((first, texts.next_back().unwrap_or(first)))
    }

    fn around(&self, turn: usize) -> Option<Marks> {
        self.content(turn).map(|(_, last)| Marks { begin: Some(0), end: Some(last.len()) })
    }

    fn marked(&self, turn: usize, marks: Marks) -> Message {
        let mut message = self.messages[turn].clone();
        let (begin, end) = self.marks[turn];
        let texts = || {
            message
                .parts
                .iter()
                .enumerate()
                .filter(|(_, part)| text_of(part).is_some())
                .map(|(i, _)| i)
        };
        let (Some(first), Some(last)) = (texts().next(), texts().next_back()) else {
            return message;
        };
        // The end first: in a single text its position counts from the unmarked beginning.
        for (part, at, mark) in [(last, marks.end, end), (first, marks.begin, begin)] {
            if let (Part::Text(text), Some(at)) = (&mut message.parts[part], at) {
                text.insert(at, mark);
            }
        }
        message
    }

    /// What becomes of each turn's marks. A rendering that fails for being marked counts as changed.
    fn try_marks(&self, marks: &[Option<Marks>]) -> Vec<Found> {
        let with_marks = |(turn, marks): (usize, &Option<Marks>)| match marks {
            Some(marks) => self.marked(turn, *marks),
            None => self.messages[turn].clone(),
        };
        let messages: Vec<Message> = marks.iter().enumerate().map(with_marks).collect();
        let Ok(text) = self.template.render(&messages, self.generation_prompt) else {
            return marks.iter().map(|_| Found::Changed).collect();
        };
        let mark_of: std::collections::HashMap<char, (usize, bool)> =
            (self.marks.iter().enumerate())
                .flat_map(|(turn, (begin, end))| [(*begin, (turn, true)), (*end, (turn, false))])
                .collect();
        let mut unmarked = String::with_capacity(text.len());
        let mut places: Vec<(Vec<usize>, Vec<usize>)> = vec![Default::default(); marks.len()];
        for c in text.chars() {
            match mark_of.get(&c) {
                Some((turn, true)) => places[*turn].0.push(unmarked.len()),
                Some((turn, false)) => places[*turn].1.push(unmarked.len()),
                None => unmarked.push(c),
            }
        }
        let changed = unmarked != self.plain;
        let found = places.into_iter().map(|(begin, end)| match (begin.len(), end.len()) {
            _ if changed => Found::Changed,
            (0 | 1, 0 | 1) => Found::At(begin.first().copied(), end.first().copied()),
            _ => Found::Repeated,
        });
        found.collect()
    }

    fn try_one(&self, turn: usize, marks: Marks) -> Found {
        let mut all = vec![None; self.messages.len()];
        all[turn] = Some(marks);
        self.try_marks(&all).swap_remove(turn)
    }

    /// One turn alone, with marks ever deeper inside of its white space. None if the template drops the turn.
    fn solve(&self, turn: usize) -> Result<Option<(usize, usize)>, Failure> {
        let Some((first, last)) = self.content(turn) else { return Ok(None) };
        let lead = first.len() - first.trim_start_matches(is_space).len();
        let trail = last.trim_end_matches(is_space).len();
        // White space alone is cut from either side, so its marks stay together.
        let inside = if lead == first.len() { (lead, last.len()) } else { (lead, trail) };
        let tries = [
            (Some(0), Some(last.len())),
            (Some(inside.0), Some(last.len())),
            (Some(0), Some(trail)),
            (Some(inside.0), Some(inside.1)),
            (None, Some(last.len())),
            (None, Some(trail)),
            (Some(0), None),
            (Some(lead), None),
        ];
        for (begin, end) in tries {
            match self.try_one(turn, Marks { begin, end }) {
                Found::Changed => continue,
                Found::Repeated => return self.refuse(turn, "writes it more than once"),
                Found::At(Some(begin), Some(end)) => return Ok(Some((begin, end))),
                Found::At(None, None) if begin.is_some() && end.is_some() => return Ok(None),
                Found::At(None, Some(at)) => {
                    if let Some(place) = self.begin_of_rest(turn, first, end.unwrap_or(trail), at) {
                        return Ok(Some(place));
                    }
                }
                Found::At(Some(at), None) => {
                    if let Some(place) = self.end_of_rest(turn, last, begin.unwrap_or(0), at) {
                        return Ok(Some(place));
                    }
                }
                Found::At(None, None) => continue,
            }
        }
        if first.is_empty() && last.is_empty() {
            return Ok(None);
        }
        self.refuse(turn, "rewrites it")
    }

    /// The template cuts off the beginning of a content, a chain of thought for example: what is left ends at `at`.
    fn begin_of_rest(
        &self,
        turn: usize,
        content: &str,
        end: usize,
        at: usize,
    ) -> Option<(usize, usize)> {
        let end = end.min(content.len());
        let same = content[..end]
            .bytes()
            .rev()
            .zip(self.plain[..at].bytes().rev())
            .take_while(|(a, b)| a == b)
            .count();
        let mut begin = end - same;
        while !content.is_char_boundary(begin) {
            begin += 1;
        }
        loop {
            if let Found::At(Some(b), Some(e)) =
                self.try_one(turn, Marks { begin: Some(begin), end: Some(end) })
            {
                return Some((b, e));
            }
            let c = content[begin..end].chars().next().filter(|c| is_space(*c))?;
            begin += c.len_utf8();
        }
    }

    /// The template cuts off the end of a content: what is left begins at `at`.
    fn end_of_rest(
        &self,
        turn: usize,
        content: &str,
        begin: usize,
        at: usize,
    ) -> Option<(usize, usize)> {
        let same = content[begin..]
            .bytes()
            .zip(self.plain[at..].bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let mut end = begin + same;
        while !content.is_char_boundary(end) {
            end -= 1;
        }
        loop {
            if let Found::At(Some(b), Some(e)) =
                self.try_one(turn, Marks { begin: Some(begin), end: Some(end) })
            {
                return Some((b, e));
            }
            let c = content[begin..end].chars().next_back().filter(|c| is_space(*c))?;
            end -= c.len_utf8();
        }
    }

    fn refuse<T>(&self, turn: usize, what: &str) -> Result<T, Failure> {
        let role = &self.messages[turn].role;
        let file = self.template.file().display();
        let why = format!(
            "{file}: cannot tell where the content of turn {turn} ({role}) lies: the chat template {what}. Expected a \
             template that writes each content once, whole or trimmed; give the folder a chat_template.jinja that does"
        );
        failure(E_UNSUPPORTED, why)
    }
}
