//! `throughline identity`.

use anyhow::Result;
use serde_json::json;
use throughline_config::HashKeySource;
use throughline_model::{IdHasher, IdentifierType};

use crate::arguments::IdentityAction;
use crate::context::Context;
use crate::exit::Exit;

/// Prints the hash that a consumer needs for a join.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(action: &IdentityAction, context: &Context) -> Result<Exit> {
    let IdentityAction::Hash { kind, value } = action;
    let config = match context.config() {
        Ok(config) => config,
        Err(errors) => {
            context.talk_errors(&errors);
            return Ok(Exit::Configuration);
        }
    };
    let key = match config.identity.hash_key.reveal(|file| std::fs::read(file)) {
        Ok(key) => key,
        Err(errors) => {
            context.talk_errors(&errors);
            return Ok(Exit::Configuration);
        }
    };
    if config.identity.hash_key == HashKeySource::Development {
        context.output.talk("made with the development key, which everybody knows");
    }
    if let Some(problem) = not_normalized(*kind, value) {
        context.output.error(&anyhow::anyhow!("`{value}` is not a normalized {kind}: {problem}"));
        return Ok(Exit::Configuration);
    }
    let hasher = IdHasher::new(key.0, &config.tenant);
    let node = hasher.node(*kind, value);
    let hash = node.hash();
    if context.output.json {
        let line = json!({
            "tenant": config.tenant,
            "type": kind.as_str(),
            "hash": hash.to_string(),
            "customer_id": node.to_string(),
            "key_id": hasher.key_id().to_string(),
        });
        context.output.object(&line)?;
    } else {
        context.output.line(format_args!("hash         {hash}"))?;
        context.output.line(format_args!("customer_id  {node}"))?;
    }
    Ok(Exit::Ok)
}

/// What keeps a value from being the one that records are hashed by. It is told rather than corrected, so that whoever
/// joins learns to normalize.
fn not_normalized(kind: IdentifierType, value: &str) -> Option<&'static str> {
    if value.trim() != value || value.is_empty() {
        return Some("it is trimmed and not empty");
    }
    match kind {
        IdentifierType::Email if value.to_lowercase() != value => Some("mail addresses are lower case"),
        IdentifierType::Email if !value.contains('@') => Some("a mail address has an @"),
        IdentifierType::Phone if !is_e164(value) => Some("phone numbers are E.164: + and digits"),
        IdentifierType::LoyaltyCard if !value.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()) => {
            Some("cards are letters and digits, upper case")
        }
        IdentifierType::Handle if !value.contains(':') => Some("handles are platform:id"),
        IdentifierType::Visit if value.matches(':').count() < 2 => Some("visits are source:kind:id"),
        _ => None,
    }
}

fn is_e164(value: &str) -> bool {
    let digits = value.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
