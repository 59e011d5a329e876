//! Reading what the configuration only names.

use throughline_config::{HashKey, HashKeySource, SecretSource};

use crate::error::ServiceError;

/// The text of a secret; a newline at the end of a file does not belong to it.
///
/// # Errors
/// If the file cannot be read.
pub fn secret(source: &SecretSource) -> Result<String, ServiceError> {
    match source {
        SecretSource::Inline(secret) => Ok(secret.reveal().to_owned()),
        SecretSource::File(path) => std::fs::read_to_string(path)
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| ServiceError::Configuration(format!("cannot read {}: {error}", path.display()))),
    }
}

/// The hash key of the deployment.
///
/// # Errors
/// If its file cannot be read, or does not hold 32 bytes.
pub fn hash_key(source: &HashKeySource) -> Result<[u8; 32], ServiceError> {
    match source {
        HashKeySource::Development => {
            tracing::warn!("the development hash key is in use: everybody knows it, set identity.hash_key_file");
            Ok(HashKey::DEVELOPMENT.0)
        }
        HashKeySource::Inline(key) => Ok(key.0),
        HashKeySource::File(path) => {
            let content = std::fs::read(path)
                .map_err(|error| ServiceError::Configuration(format!("cannot read {}: {error}", path.display())))?;
            HashKey::read(&content).map(|key| key.0).ok_or_else(|| {
                ServiceError::Configuration(format!("{} holds neither 32 bytes nor 64 hex digits", path.display()))
            })
        }
    }
}
