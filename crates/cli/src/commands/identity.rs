//! `throughline identity`.

use anyhow::{Result, anyhow};
use serde_json::json;
use throughline_config::HashKeySource;
use throughline_config::identifiers::hash_identifier;

use crate::arguments::IdentityAction;
use crate::context::Context;
use crate::exit::Exit;

/// Prints the hash that a consumer needs for a join.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(action: &IdentityAction, context: &Context) -> Result<Exit> {
    let IdentityAction::Hash { kind, value, calling_code } = action;
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
    let Some(hashed) = hash_identifier(&key, &config.tenant, *kind, value, calling_code) else {
        let problem = anyhow!("`{value}` cannot be a {kind}, or is a value that many people share");
        context.output.error(&problem);
        return Ok(Exit::Configuration);
    };
    if hashed.normalized != *value {
        context.output.talk(format_args!("normalized to `{}`", hashed.normalized));
    }
    let hash = hashed.node.hash();
    if context.output.json {
        let line = json!({
            "tenant": config.tenant,
            "type": kind.as_str(),
            "hash": hash.to_string(),
            "customer_id": hashed.node.to_string(),
            "key_id": hashed.key_id,
        });
        context.output.object(&line)?;
    } else {
        context.output.line(format_args!("hash         {hash}"))?;
        context.output.line(format_args!("customer_id  {}", hashed.node))?;
    }
    Ok(Exit::Ok)
}
