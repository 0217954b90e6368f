// SPDX-License-Identifier: Apache-2.0
//! What a model folder says about its tokenizer, read as Transformers reads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokenizers::processors::template::{SpecialToken, TemplateProcessing};
use tokenizers::{AddedToken, Tokenizer};

use crate::abi::{failure, Failure, E_INVALID, E_IO, E_NOT_FOUND};

pub struct Folder {
    pub tokenizer: Tokenizer,
    /// "bos_token" -> "<s>", for every name that ends in "_token" and has a text.
    pub special: BTreeMap<String, String>,
    pub template: Option<Source>,
    /// Why `template` is none although the folder speaks of templates.
    pub template_names: Vec<String>,
}

/// A chat template and the file it stands in.
pub struct Source {
    pub text: String,
    pub file: PathBuf,
}

pub fn read(path: &Path) -> Result<Folder, Failure> {
    let file = path.join("tokenizer.json");
    let Some(bytes) = read_file(&file)? else {
        return failure(
            E_NOT_FOUND,
            format!(
                "{}: no such file; expected a model folder with tokenizer.json (a sentencepiece or tiktoken vocabulary \
                 alone is not enough: load it with Transformers and save_pretrained)",
                file.display()
            ),
        );
    };
    let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(|error| Failure {
        code: E_INVALID,
        why: format!("{}: expected a tokenizer as Tokenizers saves it: {error}", file.display()),
    })?;
    let broken = |error: tokenizers::Error| Failure {
        code: E_INVALID,
        why: format!("{}: {error}", file.display()),
    };
    tokenizer.with_truncation(None).map_err(broken)?;
    tokenizer.with_padding(None);

    let config = read_json(&path.join("tokenizer_config.json"))?;
    let special = special_tokens(path, &config)?;
    add_tokens(&mut tokenizer, &config, &special).map_err(broken)?;
    surround(&mut tokenizer, &config, &special).map_err(broken)?;
    let (template, template_names) = chat_template(path, &config)?;
    let special = special.into_iter().map(|(name, token)| (name, token.content)).collect();
    Ok(Folder { tokenizer, special, template, template_names })
}

fn read_file(file: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => failure(E_IO, format!("{}: {error}", file.display())),
    }
}

fn read_text(file: &Path) -> Result<Option<String>, Failure> {
    let Some(bytes) = read_file(file)? else { return Ok(None) };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => failure(
            E_INVALID,
            format!("{}: expected UTF-8: {}", file.display(), error.utf8_error()),
        ),
    }
}

/// An object, empty where there is no such file.
fn read_json(file: &Path) -> Result<Value, Failure> {
    let Some(bytes) = read_file(file)? else { return Ok(Value::Object(Default::default())) };
    match serde_json::from_slice(&bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => failure(E_INVALID, format!("{}: expected a JSON object", file.display())),
        Err(error) => failure(E_INVALID, format!("{}: expected JSON: {error}", file.display())),
    }
}

/// A token from "text" or {"content": "text", "lstrip": true, ...}.
fn token(value: &Value, special: bool) -> Option<AddedToken> {
    let content = value.as_str().or_else(|| value.get("content")?.as_str())?;
    let flag =
        |name: &str, otherwise: bool| value.get(name).and_then(Value::as_bool).unwrap_or(otherwise);
    let special = special || flag("special", false);
    Some(
        AddedToken::from(content, special)
            .single_word(flag("single_word", false))
            .lstrip(flag("lstrip", false))
            .rstrip(flag("rstrip", false))
            .normalized(flag("normalized", !special)),
    )
}

fn special_tokens(path: &Path, config: &Value) -> Result<BTreeMap<String, AddedToken>, Failure> {
    let mut special = BTreeMap::new();
    let mut take = |source: &Value| {
        for (name, value) in source.as_object().into_iter().flatten() {
            if let (true, Some(token)) = (name.ends_with("_token"), token(value, true)) {
                special.insert(name.clone(), token);
            }
        }
    };
    take(config);
    if config.get("added_tokens_decoder").is_none() {
        take(&read_json(&path.join("special_tokens_map.json"))?);
    }
    Ok(special)
}

/// Adds what tokenizer_config.json names and tokenizer.json lacks.
fn add_tokens(
    tokenizer: &mut Tokenizer,
    config: &Value,
    special: &BTreeMap<String, AddedToken>,
) -> tokenizers::Result<()> {
    let mut named: Vec<(u64, AddedToken)> = Vec::new();
    for (id, value) in
        config.get("added_tokens_decoder").and_then(Value::as_object).into_iter().flatten()
    {
        if let (Ok(id), Some(token)) = (id.parse(), token(value, false)) {
            named.push((id, token));
        }
    }
    named.sort_by_key(|(id, _)| *id);
    let listed = ["additional_special_tokens", "extra_special_tokens"]
        .into_iter()
        .filter_map(|name| config.get(name));
    let listed =
        listed.filter_map(Value::as_array).flatten().filter_map(|value| token(value, true));
    let all =
        named.into_iter().map(|(_, token)| token).chain(special.values().cloned()).chain(listed);
    let known = tokenizer.get_added_vocabulary().get_vocab().clone();
    let mut missing: Vec<AddedToken> = Vec::new();
    for token in all {
        if !known.contains_key(&token.content)
            && missing.iter().all(|other| other.content != token.content)
        {
            missing.push(token);
        }
    }
    if !missing.is_empty() {
        tokenizer.add_tokens(missing)?;
    }
    Ok(())
}

/// `add_bos_token` and `add_eos_token`, where the configuration states either, decide what surrounds a text.
fn surround(
    tokenizer: &mut Tokenizer,
    config: &Value,
    special: &BTreeMap<String, AddedToken>,
) -> tokenizers::Result<()> {
    let stated = config.get("add_bos_token").is_some() || config.get("add_eos_token").is_some();
    if !stated && tokenizer.get_post_processor().is_some() {
        return Ok(());
    }
    let wanted = |flag: &str, name: &str| -> Option<SpecialToken> {
        let content = &special
            .get(name)
            .filter(|_| config.get(flag).and_then(Value::as_bool) == Some(true))?
            .content;
        SpecialToken::new(
            content.clone(),
            vec![tokenizer.token_to_id(content)?],
            vec![content.clone()],
        )
        .ok()
    };
    let (bos, eos) = (wanted("add_bos_token", "bos_token"), wanted("add_eos_token", "eos_token"));
    let text_of = |token: &Option<SpecialToken>, name: &str| {
        token.as_ref().map(|_| special[name].content.clone())
    };
    let around = [text_of(&bos, "bos_token"), Some("$A".into()), text_of(&eos, "eos_token")];
    let pieces: Vec<String> = around.into_iter().flatten().collect();
    let processor = TemplateProcessing::builder()
        .try_single(pieces)?
        .special_tokens(bos.into_iter().chain(eos).collect::<Vec<_>>())
        .build()?;
    tokenizer.with_post_processor(Some(processor));
    Ok(())
}

fn chat_template(path: &Path, config: &Value) -> Result<(Option<Source>, Vec<String>), Failure> {
    let file = path.join("chat_template.jinja");
    if let Some(text) = read_text(&file)? {
        return Ok((Some(Source { text, file }), Vec::new()));
    }
    let legacy = path.join("chat_template.json");
    let legacy_config = read_json(&legacy)?;
    let places = [(path.join("tokenizer_config.json"), config), (legacy, &legacy_config)];
    let mut names = Vec::new();
    for (file, config) in places {
        match config.get("chat_template") {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => {
                return Ok((Some(Source { text: text.clone(), file }), names))
            }
            Some(Value::Array(list)) => {
                let field = |entry: &Value, key: &str| {
                    entry.get(key).and_then(Value::as_str).map(str::to_owned)
                };
                for entry in list {
                    let (Some(name), Some(text)) = (field(entry, "name"), field(entry, "template"))
                    else {
                        continue;
                    };
                    if name == "default" {
                        return Ok((Some(Source { text, file }), names));
                    }
                    names.push(name);
                }
            }
            Some(_) => {
                let why =
                    "`chat_template`: expected a string, or a list of {\"name\", \"template\"}";
                return failure(E_INVALID, format!("{}: {why}", file.display()));
            }
        }
    }
    Ok((None, names))
}
