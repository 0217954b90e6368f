// SPDX-License-Identifier: Apache-2.0
//! The kind `tokenizer/1` over the Tokenizers library. Every function of the table catches panics: none may cross into C.

mod abi;
mod folder;
mod spans;
mod stream;
mod template;

use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;

use abi::*;
use folder::Folder;
use stream::Stream;
use template::{Message, Part as MessagePart, Template};

struct Instance {
    table: Tokenizer,
    host: *const Host,
    folder: Folder,
    stream: Stream,
    /// Compiled when the folder is opened; its failure is told when something is rendered.
    template: Option<Result<Template, String>>,
    path: String,
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says for the host's error instead of writing it to the process's error stream.
fn catch_messages() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let payload = info.payload();
            let said = payload.downcast_ref::<String>().map(String::as_str);
            let said =
                said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
            let place = info
                .location()
                .map(|at| format!(" ({}:{})", at.file(), at.line()))
                .unwrap_or_default();
            PANIC.with(|slot| *slot.borrow_mut() = format!("{said}{place}"));
        }));
    });
}

/// Runs one call for C: its code, or the failure told to the host.
fn guarded(host: *const Host, call: impl FnOnce() -> Result<i32, Failure>) -> i32 {
    let failure = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(code)) => return code,
        Ok(Err(failure)) => failure,
        Err(_) => {
            let said = PANIC.with(|slot| slot.take());
            Failure { code: E_INTERNAL, why: format!("the tokenizer library panicked: {said}") }
        }
    };
    // SAFETY: the host outlives the instance, and `fail` copies the text.
    unsafe { ((*host).fail)(host, failure.code, Str::of(&failure.why)) }
}

/// # Safety
/// As the header says of `attune_factory.create`.
#[no_mangle]
pub unsafe extern "C" fn attune_huggingface_create(
    host: *const Host,
    options: *const Value,
    out: *mut *mut c_void,
) -> i32 {
    catch_messages();
    guarded(host, || {
        let path = path_option(&*options)?.to_owned();
        let folder = folder::read(Path::new(&path))?;
        let special = || folder.special.iter().map(|(name, text)| (name.clone(), text.clone()));
        let template = folder
            .template
            .as_ref()
            .map(|source| Template::new(source, special()).map_err(|failure| failure.why));
        let stream = Stream::new(&folder.tokenizer);
        let table = Tokenizer {
            size: size_of::<Tokenizer>() as u32,
            flags: 0,
            this: std::ptr::null_mut(),
            destroy,
            vocabulary,
            token,
            encode,
            decode,
            decode_next,
            render,
        };
        let instance =
            Box::into_raw(Box::new(Instance { table, host, folder, stream, template, path }));
        (*instance).table.this = instance.cast();
        *out = (&raw mut (*instance).table).cast();
        Ok(OK)
    })
}

unsafe fn path_option(options: &Value) -> Result<&str, Failure> {
    if options.kind == VALUE_MAP {
        let keys = slice(options.keys, options.n_items);
        for (key, value) in keys.iter().zip(slice(options.items, options.n_items)) {
            if text(*key, "an option's name")? == "path" && value.kind == VALUE_STRING {
                return text(value.text, "option `path`");
            }
        }
    }
    failure(E_INVALID, "option `path`: expected a model folder, found nothing")
}

unsafe extern "C" fn destroy(this: *mut c_void) {
    let host = instance(this).host;
    guarded(host, || {
        drop(Box::from_raw(this.cast::<Instance>()));
        Ok(OK)
    });
}

unsafe fn instance<'a>(this: *mut c_void) -> &'a Instance {
    &*this.cast::<Instance>()
}

fn library(error: tokenizers::Error) -> Failure {
    Failure { code: E_INVALID, why: error.to_string() }
}

unsafe extern "C" fn vocabulary(this: *mut c_void, size: *mut i64) -> i32 {
    let this = instance(this);
    guarded(this.host, || {
        *size = this.folder.tokenizer.get_vocab_size(true) as i64;
        Ok(OK)
    })
}

unsafe extern "C" fn token(this: *mut c_void, name: Str, id: *mut i64) -> i32 {
    let this = instance(this);
    guarded(this.host, || {
        let name = text(name, "a token's name")?;
        let found = match name {
            "bos" | "eos" | "pad" | "unk" => {
                this.folder.special.get(&format!("{name}_token")).map(String::as_str)
            }
            _ => Some(name),
        };
        *id =
            found.and_then(|token| this.folder.tokenizer.token_to_id(token)).map_or(-1, i64::from);
        Ok(OK)
    })
}

unsafe extern "C" fn encode(
    this: *mut c_void,
    input: Str,
    flags: u32,
    sink: *const EncodingSink,
) -> i32 {
    let this = instance(this);
    guarded(this.host, || {
        let input = text(input, "the text to encode")?;
        let encoding = this
            .folder
            .tokenizer
            .encode(input, flags & ENCODE_ADD_SPECIAL != 0)
            .map_err(library)?;
        let ids: Vec<i64> = encoding.get_ids().iter().map(|&id| i64::from(id)).collect();
        let offsets = encoding.get_offsets().iter().map(|&(begin, end)| TokenOffset { begin, end });
        let offsets: Vec<TokenOffset> = offsets.collect();
        let result = Encoding {
            size: size_of::<Encoding>() as u32,
            reserved: 0,
            ids: ids.as_ptr(),
            offsets: offsets.as_ptr(),
            n_ids: ids.len(),
        };
        Ok(((*sink).emit)((*sink).context, &result))
    })
}

unsafe extern "C" fn decode(
    this: *mut c_void,
    ids: *const i64,
    n: usize,
    flags: u32,
    sink: *const TextSink,
) -> i32 {
    let this = instance(this);
    guarded(this.host, || {
        let decoded = this
            .folder
            .tokenizer
            .decode(&stream::narrow(slice(ids, n), 0)?, flags & DECODE_SKIP_SPECIAL != 0)
            .map_err(library)?;
        Ok(((*sink).emit)((*sink).context, Str::of(&decoded)))
    })
}

unsafe extern "C" fn decode_next(
    this: *mut c_void,
    ids: *const i64,
    n: usize,
    flags: u32,
    sink: *const TextSink,
) -> i32 {
    let this = instance(this);
    guarded(this.host, || {
        let ids = slice(ids, n);
        let added =
            this.stream.next(&this.folder.tokenizer, ids, flags & DECODE_SKIP_SPECIAL != 0)?;
        Ok(((*sink).emit)((*sink).context, Str::of(&added)))
    })
}

unsafe extern "C" fn render(
    this: *mut c_void,
    turns: *const Turn,
    n_turns: usize,
    flags: u32,
    sink: *const RenderingSink,
) -> i32 {
    let this = instance(this);
    guarded(this.host, || {
        let template = match &this.template {
            Some(Ok(template)) => template,
            Some(Err(why)) => return failure(E_INVALID, why.clone()),
            None => return failure(E_UNSUPPORTED, no_template(this)),
        };
        let messages: Vec<Message> = slice(turns, n_turns)
            .iter()
            .enumerate()
            .map(|(i, turn)| message(i, turn))
            .collect::<Result<_, _>>()?;
        let rendered = spans::render(template, &messages, flags & RENDER_GENERATION_PROMPT != 0)?;
        let result = Rendering {
            size: size_of::<Rendering>() as u32,
            reserved: 0,
            text: Str::of(&rendered.text),
            spans: rendered.spans.as_ptr(),
            n_spans: rendered.spans.len(),
        };
        Ok(((*sink).emit)((*sink).context, &result))
    })
}

fn no_template(this: &Instance) -> String {
    let names = &this.folder.template_names;
    if names.is_empty() {
        return format!("{} has no chat template; put one in chat_template.jinja there", this.path);
    }
    format!(
        "{} has no chat template named \"default\", only {}; put one in chat_template.jinja there",
        this.path,
        names.join(", ")
    )
}

unsafe fn message(index: usize, turn: &Turn) -> Result<Message, Failure> {
    let part = |part: &Part| {
        Ok(match part.kind {
            PART_TEXT => {
                MessagePart::Text(text(part.data, &format!("the text of turn {index}"))?.to_owned())
            }
            PART_IMAGE => MessagePart::Media("image"),
            PART_AUDIO => MessagePart::Media("audio"),
            PART_VIDEO => MessagePart::Media("video"),
            kind => {
                return failure(
                    E_UNSUPPORTED,
                    format!(
                        "turn {index}: a part of kind {kind}; expected text, image, audio or video"
                    ),
                )
            }
        })
    };
    let role = text(turn.role, &format!("the role of turn {index}"))?.to_owned();
    let mut parts: Vec<MessagePart> =
        slice(turn.parts, turn.n_parts).iter().map(part).collect::<Result<_, _>>()?;
    if parts.is_empty() {
        parts.push(MessagePart::Text(String::new()));
    }
    // A turn of text alone is one string to a template.
    if parts.iter().all(|part| matches!(part, MessagePart::Text(_))) {
        let whole = parts
            .iter()
            .map(|part| if let MessagePart::Text(text) = part { text.as_str() } else { "" })
            .collect();
        parts = vec![MessagePart::Text(whole)];
    }
    Ok(Message { role, parts })
}
