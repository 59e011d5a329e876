//! Who may ask what: bearer tokens by role, and loopback without them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};
use throughline_model::closed_set;

use crate::error::ErrorCode;

closed_set! {
    /// Role of a token.
    pub enum Role {
        /// Metrics; no customer.
        Metrics = "metrics",
        /// Customers, alerts, status, metrics.
        Read = "read",
        /// Status and metrics; no customer, no commands.
        Operate = "operate",
    }
}

/// What a route asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing: probes, and the description of the interface.
    Open,
    /// Counts without a customer.
    Metrics,
    /// Work of the service without a customer.
    Status,
    /// Customers.
    Customers,
}

impl Role {
    pub(crate) const fn may(self, access: Access) -> bool {
        match access {
            Access::Open | Access::Metrics => true,
            Access::Status => matches!(self, Self::Read | Self::Operate),
            Access::Customers => matches!(self, Self::Read),
        }
    }
}

/// A bearer token. Only its hash is kept, so neither a dump nor a log can hold the secret.
#[derive(Clone)]
pub struct Token {
    actor: String,
    role: Role,
    secret: blake3::Hash,
}

impl Token {
    /// Shortest secret, in bytes.
    pub const SECRET_BYTES_MIN: usize = 8;

    /// A token of `actor` (the name that reaches the audit record) with this secret. `None` if the secret is shorter than
    /// [`Token::SECRET_BYTES_MIN`]: it is a slip of whoever wrote it, an empty file for instance.
    #[must_use]
    pub fn new(actor: &str, role: Role, secret: &str) -> Option<Self> {
        let secret = secret.trim();
        (secret.len() >= Self::SECRET_BYTES_MIN).then(|| Self {
            actor: actor.to_owned(),
            role,
            secret: blake3::hash(secret.as_bytes()),
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Token").field("actor", &self.actor).field("role", &self.role).finish_non_exhaustive()
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) actor: String,
    pub(crate) role: Option<Role>,
}

impl Caller {
    fn anonymous() -> Self {
        Self { actor: "anonymous".to_owned(), role: None }
    }

    pub(crate) fn role_name(&self) -> &'static str {
        self.role.map_or("", Role::as_str)
    }
}

/// Finds out who asks, whether or not the caller may ask for this.
pub(crate) fn identify(tokens: &[Token], access: Access, headers: &HeaderMap) -> Result<Caller, ErrorCode> {
    if access == Access::Open {
        return Ok(Caller::anonymous());
    }
    if tokens.is_empty() {
        // A page in the operator's browser can reach loopback under a name of its own (DNS rebinding); it cannot choose
        // the host name that the browser sends.
        return if names_loopback(headers) { Ok(Caller::anonymous()) } else { Err(ErrorCode::Forbidden) };
    }
    let presented = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, secret)| blake3::hash(secret.trim().as_bytes()))
        .ok_or(ErrorCode::Unauthenticated)?;
    // All tokens are compared, each in constant time (equality of `blake3::Hash` is), so the time tells nothing. One secret
    // may stand for several roles: the one that is allowed to ask wins.
    let known = tokens.iter().filter(|token| token.secret == presented);
    let found = known.fold(None, |found: Option<&Token>, token| match found {
        Some(found) if found.role.may(access) || !token.role.may(access) => Some(found),
        _ => Some(token),
    });
    let token = found.ok_or(ErrorCode::Unauthenticated)?;
    Ok(Caller { actor: token.actor.clone(), role: Some(token.role) })
}

/// Whether the interface may listen there: beyond loopback only with tokens.
pub(crate) fn may_listen(address: SocketAddr, tokens: &[Token]) -> bool {
    address.ip().is_loopback() || !tokens.is_empty()
}

fn names_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header value"));
        headers
    }

    #[test]
    fn each_role_reaches_what_it_is_for() {
        let allowed = |role: Role| {
            [Access::Open, Access::Metrics, Access::Status, Access::Customers].map(|access| role.may(access))
        };
        assert_eq!(allowed(Role::Metrics), [true, true, false, false]);
        assert_eq!(allowed(Role::Operate), [true, true, true, false]);
        assert_eq!(allowed(Role::Read), [true, true, true, true]);
    }

    #[test]
    fn tokens_are_found_by_secret_and_wrong_ones_refused() {
        let tokens = [
            Token::new("prometheus", Role::Metrics, "metrics-secret-0001\n").expect("long enough"),
            Token::new("ann", Role::Read, "reading-secret-0001").expect("long enough"),
        ];
        let asked = |value: &str| identify(&tokens, Access::Customers, &headers(header::AUTHORIZATION, value));
        assert_eq!(asked("Bearer reading-secret-0001").map(|caller| caller.actor), Ok("ann".to_owned()));
        assert_eq!(asked("bearer metrics-secret-0001").map(|caller| caller.role), Ok(Some(Role::Metrics)));
        assert_eq!(asked("Bearer reading-secret-0002"), Err(ErrorCode::Unauthenticated));
        assert_eq!(asked("Basic reading-secret-0001"), Err(ErrorCode::Unauthenticated));
        assert_eq!(identify(&tokens, Access::Customers, &HeaderMap::new()), Err(ErrorCode::Unauthenticated));
        assert!(identify(&tokens, Access::Open, &HeaderMap::new()).is_ok());
        assert!(Token::new("short", Role::Read, "0123456\n").is_none());
        assert!(!format!("{tokens:?}").contains("secret-0001"));
    }

    #[test]
    fn one_secret_may_stand_for_several_roles() {
        for roles in [[Role::Metrics, Role::Read, Role::Operate], [Role::Read, Role::Operate, Role::Metrics]] {
            let tokens = roles.map(|role| Token::new("all", role, "one-secret-for-all").expect("long enough"));
            let presented = headers(header::AUTHORIZATION, "Bearer one-secret-for-all");
            for access in [Access::Metrics, Access::Status, Access::Customers] {
                let caller = identify(&tokens, access, &presented).expect("a known secret");
                assert!(caller.role.expect("the role of a token").may(access), "{access:?}");
            }
        }
    }

    #[test]
    fn without_tokens_only_loopback_names_are_answered() {
        for (host, answered) in [
            ("localhost:8088", true),
            ("127.0.0.1", true),
            ("[::1]:8088", true),
            ("rebound.example:8088", false),
            ("10.0.0.1:8088", false),
            ("", false),
        ] {
            assert_eq!(identify(&[], Access::Customers, &headers(header::HOST, host)).is_ok(), answered, "{host}");
        }
    }

    #[test]
    fn the_interface_opens_only_with_tokens() {
        let anywhere: SocketAddr = "0.0.0.0:8088".parse().expect("an address");
        let token = Token::new("ann", Role::Read, "reading-secret-0001").expect("long enough");
        assert!(!may_listen(anywhere, &[]));
        assert!(may_listen(anywhere, &[token]));
        assert!(may_listen("127.0.0.1:0".parse().expect("an address"), &[]));
    }
}
