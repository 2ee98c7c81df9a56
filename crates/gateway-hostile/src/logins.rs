//! The tokens that the server accepts, and how often and how long it does.

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::secret::Secret;

/// The settings of logins.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoginRules {
    /// The accepted tokens. If there is none, a dialect accepts any, and without a dialect there is no
    /// login.
    pub(crate) tokens: Vec<Secret>,
    /// How many logins each token is good for. `None` is no limit.
    pub(crate) uses: Option<NonZeroU32>,
    /// How long each token is good, from its first login on. `None` is no limit.
    pub(crate) expires: Option<Duration>,
}

/// The rules, and how often each token was used.
#[derive(Debug)]
pub(crate) struct Logins {
    rules: LoginRules,
    /// In the order of the tokens.
    uses: Mutex<Vec<Use>>,
}

/// Why a login is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It has no token, or one that the server does not know.
    Wrong,
    /// The token was good, but was used too often or too long ago.
    Expired,
}

#[derive(Clone, Copy, Debug)]
enum Use {
    Unused,
    Used { times: u32, first_at: Duration },
}

impl Logins {
    pub(crate) fn new(rules: LoginRules) -> Self {
        let uses = Mutex::new(vec![Use::Unused; rules.tokens.len()]);
        Self { rules, uses }
    }

    /// Judges a login, and counts it if it is accepted.
    pub(crate) fn judge(&self, token: Option<&str>, now: Duration) -> Result<(), Refused> {
        if self.rules.tokens.is_empty() {
            return Ok(());
        }
        let token = token.ok_or(Refused::Wrong)?;
        let known = self.rules.tokens.iter().position(|secret| secret.matches(token));
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let used = known.and_then(|known| uses.get_mut(known)).ok_or(Refused::Wrong)?;
        *used = self.rules.used_again(*used, now).ok_or(Refused::Expired)?;
        Ok(())
    }
}

impl LoginRules {
    /// `None` if the token has expired.
    fn used_again(&self, used: Use, now: Duration) -> Option<Use> {
        let (times, first_at) = match used {
            Use::Unused => (0, now),
            Use::Used { times, first_at } => (times, first_at),
        };
        let is_spent = self.uses.is_some_and(|most| times >= most.get());
        let is_old = self.expires.is_some_and(|span| now.saturating_sub(first_at) >= span);
        (!is_spent && !is_old).then_some(Use::Used { times: times.saturating_add(1), first_at })
    }
}

impl Refused {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Wrong => "wrong token",
            Self::Expired => "token expired",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn rules(tokens: &[&str]) -> LoginRules {
        let tokens = tokens.iter().map(|token| token.parse().expect("not empty")).collect();
        LoginRules { tokens, ..LoginRules::default() }
    }

    #[test]
    fn without_a_token_every_login_is_accepted() {
        let logins = Logins::new(rules(&[]));

        assert_eq!(logins.judge(None, START), Ok(()));
        assert_eq!(logins.judge(Some("any"), START), Ok(()));
    }

    #[test]
    fn only_a_token_of_the_list_is_accepted() {
        let logins = Logins::new(rules(&["one", "two"]));

        assert_eq!(logins.judge(Some("one"), START), Ok(()));
        assert_eq!(logins.judge(Some("two"), START), Ok(()));
        assert_eq!(logins.judge(Some("three"), START), Err(Refused::Wrong));
        assert_eq!(logins.judge(None, START), Err(Refused::Wrong));
    }

    #[test]
    fn a_token_that_was_used_often_enough_expires_alone() {
        let logins = Logins::new(LoginRules { uses: NonZeroU32::new(2), ..rules(&["one", "two"]) });

        let of_one: Vec<_> = (0..4).map(|_| logins.judge(Some("one"), START)).collect();

        assert_eq!(of_one, [Ok(()), Ok(()), Err(Refused::Expired), Err(Refused::Expired)]);
        assert_eq!(logins.judge(Some("two"), START), Ok(()));
    }

    #[test]
    fn a_token_expires_a_span_after_its_first_login() {
        let expires = Some(Duration::from_secs(5));
        let logins = Logins::new(LoginRules { expires, ..rules(&["one"]) });
        let at = |seconds| logins.judge(Some("one"), Duration::from_secs(seconds));

        assert_eq!(
            [at(100), at(104), at(105), at(106)],
            [Ok(()), Ok(()), Err(Refused::Expired), Err(Refused::Expired)]
        );
    }
}
