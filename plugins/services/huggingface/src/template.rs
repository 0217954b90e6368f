// SPDX-License-Identifier: Apache-2.0
//! Chat templates as Transformers runs them: Jinja with its settings, its helpers and Python's methods.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::PathBuf;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{context, Environment, Error, ErrorKind, State, Value};

use crate::abi::{failure, Failure, E_INVALID, E_UNSUPPORTED};
use crate::folder::Source;

/// One turn of a conversation, its media by kind alone: a template writes where media stand, never what is in them.
#[derive(Clone)]
pub struct Message {
    pub role: String,
    pub parts: Vec<Part>,
}

#[derive(Clone)]
pub enum Part {
    Text(String),
    Media(&'static str),
}

pub struct Template {
    environment: Environment<'static>,
    file: PathBuf,
    special: Vec<(String, String)>,
}

const NAME: &str = "chat_template";

/// What `raise_exception` carries, so that a refusal is told from a template that fails.
#[derive(Debug)]
struct Refusal;

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("refused")
    }
}

impl std::error::Error for Refusal {}

impl Template {
    pub fn new(
        source: &Source,
        special: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Failure> {
        let mut environment = Environment::new();
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(false);
        environment.set_syntax(syntax.build().expect("the default delimiters are valid"));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(python_method);
        environment.add_filter("tojson", to_json);
        environment.add_filter("trim", trim);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message).with_source(Refusal))
        });
        environment.add_function("strftime_now", strftime_now);
        let text = without_generation_tags(&source.text);
        environment.add_template_owned(NAME, text).map_err(|error| Failure {
            code: E_INVALID,
            why: format!(
                "{}: the chat template does not compile: {}",
                source.file.display(),
                describe(&error)
            ),
        })?;
        Ok(Self { environment, file: source.file.clone(), special: special.collect() })
    }

    pub fn render(&self, messages: &[Message], generation_prompt: bool) -> Result<String, Failure> {
        let messages: Vec<Value> = messages.iter().map(to_value).collect();
        let special = Value::from_pairs(
            self.special.iter().map(|(name, text)| (name.as_str(), text.as_str())),
        );
        let given = context! {
            messages => messages, add_generation_prompt => generation_prompt, tools => (), documents => (), ..special
        };
        self.environment.get_template(NAME).and_then(|template| template.render(given)).or_else(
            |error| {
                let mut cause: Option<&dyn std::error::Error> = Some(&error);
                while let Some(found) = cause {
                    let refused = found.source().is_some_and(|source| source.is::<Refusal>());
                    if let (true, Some(error)) = (refused, found.downcast_ref::<Error>()) {
                        let said = error.detail().unwrap_or_default();
                        return failure(
                            E_INVALID,
                            format!(
                                "{}: the chat template refuses this conversation: {said}",
                                self.file.display()
                            ),
                        );
                    }
                    cause = found.source();
                }
                failure(
                    E_UNSUPPORTED,
                    format!(
                        "{}: the chat template fails: {}",
                        self.file.display(),
                        describe(&error)
                    ),
                )
            },
        )
    }

    pub fn file(&self) -> &PathBuf {
        &self.file
    }
}

fn describe(error: &Error) -> String {
    let mut text = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    if let Some(line) = error.line() {
        write!(text, " (line {line})").expect("a string takes all");
    }
    text
}

fn to_value(message: &Message) -> Value {
    let plain = message.parts.iter().all(|part| matches!(part, Part::Text(_)));
    let content = if plain {
        let text =
            message
                .parts
                .iter()
                .map(|part| if let Part::Text(text) = part { text.as_str() } else { "" });
        Value::from(text.collect::<String>())
    } else {
        let part = |part: &Part| match part {
            Part::Text(text) => Value::from_pairs([("type", "text"), ("text", text.as_str())]),
            Part::Media(kind) => Value::from_pairs([("type", *kind)]),
        };
        message.parts.iter().map(part).collect()
    };
    Value::from_pairs([("role", Value::from(message.role.as_str())), ("content", content)])
}

/// `{% generation %}` marks what an assistant says. Spans come from elsewhere here, so it becomes a plain block.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let after = &rest[at + 2..];
        let Some(end) = after.find("%}") else { break };
        let sign = |c: char| c == '-' || c == '+';
        let word = after[..end].trim_start_matches(sign).trim_end_matches(sign).trim();
        let block = match word {
            "generation" => Some("if true"),
            "endgeneration" => Some("endif"),
            _ => None,
        };
        out.push_str(&rest[..at + 2]);
        match block {
            Some(block) => out.push_str(&after[..end].replace(word, block)),
            None => out.push_str(&after[..end]),
        }
        out.push_str("%}");
        rest = &after[end + 2..];
    }
    out.push_str(rest);
    out
}

/// What Python's `str.strip` takes off: Unicode white space and the four ASCII separators.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c)
}

fn python_method(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        let argument = args.first().and_then(Value::as_str);
        match (method, args.len(), argument) {
            ("strip", 0, _) => return Ok(text.trim_matches(is_space).into()),
            ("lstrip", 0, _) => return Ok(text.trim_start_matches(is_space).into()),
            ("rstrip", 0, _) => return Ok(text.trim_end_matches(is_space).into()),
            ("removeprefix", 1, Some(prefix)) => {
                return Ok(text.strip_prefix(prefix).unwrap_or(text).into())
            }
            ("removesuffix", 1, Some(suffix)) => {
                return Ok(text.strip_suffix(suffix).unwrap_or(text).into())
            }
            _ => {}
        }
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
}

fn trim(value: &Value, chars: Option<Cow<'_, str>>) -> String {
    let text = value.to_string();
    match chars {
        Some(chars) => text.trim_matches(|c| chars.contains(c)).to_owned(),
        None => text.trim_matches(is_space).to_owned(),
    }
}

/// Now, in local time, as Python's `datetime.now().strftime`.
fn strftime_now(format: String) -> Result<String, Error> {
    let invalid = |why: &str| {
        Error::new(ErrorKind::InvalidOperation, format!("strftime_now({format:?}): {why}"))
    };
    if format.is_empty() {
        return Ok(String::new());
    }
    let c_format =
        std::ffi::CString::new(format.as_str()).map_err(|_| invalid("a NUL in the format"))?;
    let mut buffer = vec![0u8; 256 + 32 * format.len()];
    // SAFETY: both calls get valid, exclusively borrowed storage of the sizes stated.
    let written = unsafe {
        let mut parts: libc::tm = std::mem::zeroed();
        let now = libc::time(std::ptr::null_mut());
        libc::localtime_r(&now, &mut parts);
        libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), c_format.as_ptr(), &parts)
    };
    String::from_utf8(buffer[..written].to_vec()).map_err(|_| invalid("not UTF-8"))
}

/// Python's `json.dumps`, with the defaults that Transformers gives it.
fn to_json(
    value: &Value,
    ensure_ascii: Option<bool>,
    indent: Option<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let mut json = Json {
        ascii: ensure_ascii.or(kwargs.get("ensure_ascii")?).unwrap_or(false),
        indent: match indent
            .or(kwargs.get::<Option<Value>>("indent")?)
            .filter(|indent| !indent.is_none())
        {
            Some(indent) => Some(match (indent.as_usize(), indent.as_str()) {
                (Some(width), _) => " ".repeat(width.min(64)),
                (None, Some(text)) => text.to_owned(),
                _ => {
                    return Err(Error::new(
                        ErrorKind::InvalidOperation,
                        "tojson: expected `indent` to be a number or a string",
                    ))
                }
            }),
            None => None,
        },
        sorted: kwargs.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        separators: (", ".to_owned(), ": ".to_owned()),
        out: String::new(),
    };
    if json.indent.is_some() {
        json.separators.0 = ",".to_owned();
    }
    if let Some(separators) =
        kwargs.get::<Option<Value>>("separators")?.filter(|separators| !separators.is_none())
    {
        json.separators = (
            separators.get_item_by_index(0)?.to_string(),
            separators.get_item_by_index(1)?.to_string(),
        );
    }
    kwargs.assert_all_used()?;
    json.write(value, 0)?;
    Ok(Value::from(json.out))
}

struct Json {
    ascii: bool,
    indent: Option<String>,
    sorted: bool,
    separators: (String, String),
    out: String,
}

impl Json {
    fn write(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > 64 {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                "tojson: nested deeper than 64 levels",
            ));
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&value.to_string()),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.bracket('[', ']', &items, depth, |json, item| json.write(item, depth + 1))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sorted {
                    keys.sort();
                }
                self.bracket('{', '}', &keys, depth, |json, key| {
                    json.string(&key.to_string());
                    json.out.push_str(&json.separators.1.clone());
                    json.write(&value.get_item(key)?, depth + 1)
                })?;
            }
            kind => {
                return Err(Error::new(
                    ErrorKind::InvalidOperation,
                    format!("tojson: {kind} has no JSON form"),
                ))
            }
        }
        Ok(())
    }

    fn bracket(
        &mut self,
        open: char,
        close: char,
        items: &[Value],
        depth: usize,
        mut item_of: impl FnMut(&mut Self, &Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.out.push_str(&self.separators.0.clone());
            }
            self.new_line(depth + 1);
            item_of(self, item)?;
        }
        if !items.is_empty() {
            self.new_line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            self.out.push_str(&indent.repeat(depth));
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.ascii && !(' '..='~').contains(&c) && c != '\u{7f}') => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(self.out, "\\u{unit:04x}").expect("a string takes all");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str) -> String {
        let source = Source { text: template.into(), file: "test".into() };
        let template =
            Template::new(&source, [("eos_token".into(), "</s>".into())].into_iter()).unwrap();
        template
            .render(
                &[Message { role: "user".into(), parts: vec![Part::Text("hé \"x\"".into())] }],
                true,
            )
            .unwrap()
    }

    #[test]
    fn templates_see_what_transformers_gives_them() {
        let rows = [
            ("{{ messages[0] | tojson }}", r#"{"role": "user", "content": "hé \"x\""}"#),
            ("{{ [1, {'a': none}] | tojson(indent=2) }}", "[\n  1,\n  {\n    \"a\": null\n  }\n]"),
            ("{{ 'é' | tojson(ensure_ascii=true) }}", "\"\\u00e9\""),
            ("{{ [] | tojson(indent=2) }}", "[]"),
            ("{{ {'a': [1, 2]} | tojson(separators=(',', ':')) }}", r#"{"a":[1,2]}"#),
            ("{{ eos_token }}{{ pad_token }}{{ tools is none }}{{ add_generation_prompt }}", "</s>TrueTrue"),
            ("{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "13"),
            ("a\n{%- generation -%}\n b{%- endgeneration %}\nc", "abc"),
            ("{{ '\x1c x '.strip() }}|{{ ' y\x1f' | trim }}", "x|y"),
            ("{{ 'a,b'.split(',')[-1] }}{{ 'abc'.removeprefix('a') }}{{ 'x'.startswith('x') }}", "bbcTrue"),
            ("{{ strftime_now('%%') }}", "%"),
            ("  {% if true %}\nx\n  {% endif %}\n", "x\n"),
        ];
        for (template, expected) in rows {
            assert_eq!(rendered(template), expected, "{template}");
        }
    }
}
