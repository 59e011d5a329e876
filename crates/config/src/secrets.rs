//! Secrets and keys from their files. Whoever may open files says how; nothing is opened here.

use std::io;
use std::path::Path;

use crate::error::{ConfigError, Origin};
use crate::options::{HashKey, HashKeySource, SecretSource};
use crate::value::Secret;

impl SecretSource {
    /// The secret itself; `read` reads a file.
    ///
    /// # Errors
    /// When the file cannot be read, or is not text.
    pub fn reveal(&self, read: impl FnOnce(&Path) -> io::Result<Vec<u8>>) -> Result<Secret, Vec<ConfigError>> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::File(file) => {
                let content = read(file).map_err(|error| vec![ConfigError::unreadable(file, &error)])?;
                // An editor ends a file with a newline; no password does.
                let text = String::from_utf8(content).map_err(|_| vec![bad_content("", file, "is not text")])?;
                Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
            }
        }
    }
}

impl HashKeySource {
    /// The key itself; `read` reads a file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no key.
    pub fn reveal(&self, read: impl FnOnce(&Path) -> io::Result<Vec<u8>>) -> Result<HashKey, Vec<ConfigError>> {
        match self {
            Self::Development => Ok(HashKey::DEVELOPMENT),
            Self::Inline(key) => Ok(*key),
            Self::File(file) => {
                let content = read(file).map_err(|error| vec![ConfigError::unreadable(file, &error)])?;
                HashKey::read(&content).ok_or_else(|| {
                    let error = bad_content("identity.hash_key_file", file, "holds no hash key");
                    vec![error.with_help("32 bytes, or 64 hex digits; `openssl rand -hex 32` makes one")]
                })
            }
        }
    }
}

impl ConfigError {
    /// A file that was named and cannot be read.
    #[must_use]
    pub fn unreadable(file: &Path, error: &io::Error) -> Self {
        bad_content("", file, &format!("failed to read the file: {error}"))
    }
}

fn bad_content(key: &str, file: &Path, problem: &str) -> ConfigError {
    let origin = Origin::File { file: file.display().to_string(), line: 0, column: 0 };
    ConfigError::new(key, origin, problem)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_newline_of_an_editor_is_no_part_of_a_secret() {
        let source = SecretSource::File(PathBuf::from("p"));
        let secret = source.reveal(|_| Ok(b"hunter2\r\n".to_vec())).expect("the file is readable");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn keys_are_bytes_or_hex_digits_and_nothing_else() {
        let source = HashKeySource::File(PathBuf::from("k"));
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
        assert_eq!(source.reveal(|_| Ok(hex.into())), Ok(HashKey::DEVELOPMENT));
        assert_eq!(source.reveal(|_| Ok(HashKey::DEVELOPMENT.0.to_vec())), Ok(HashKey::DEVELOPMENT));
        let errors = source.reveal(|_| Ok(b"secret".to_vec())).expect_err("six bytes are no key");
        assert!(!format!("{errors:?}").contains("secret"));
        let errors = source.reveal(|_| Err(io::ErrorKind::NotFound.into())).expect_err("there is no file");
        assert!(errors[0].problem.starts_with("failed to read"));
    }
}
