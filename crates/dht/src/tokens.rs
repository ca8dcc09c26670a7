//! Proof that who announces receives at the address that it announces from (BEP 5): otherwise anybody could
//! announce anybody.

use std::net::IpAddr;
use std::time::Duration;

use protocol::Time;
use sha1::{Digest, Sha1};

/// How long one secret is used; a token of the one before is accepted too, so that it is good for 5 to 10 minutes.
const SECRET_LIFE: Duration = Duration::from_secs(300);
/// Bytes of a token: nobody guesses 64 bits at 64 answers a second.
const LENGTH: usize = 8;

/// Hands out tokens and recognises them, without remembering any.
#[derive(Clone)]
pub(crate) struct Tokens {
    secret: [u8; 32],
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    pub(crate) const fn new(secret: [u8; 32]) -> Self {
        Tokens { secret }
    }

    /// The token of an address.
    pub(crate) fn token(&self, now: Time, ip: IpAddr) -> Vec<u8> {
        self.of_period(period(now), ip).to_vec()
    }

    /// Whether `token` was handed to that address lately.
    pub(crate) fn accepts(&self, now: Time, ip: IpAddr, token: &[u8]) -> bool {
        let period = period(now);
        token == self.of_period(period, ip) || period > 0 && token == self.of_period(period - 1, ip)
    }

    fn of_period(&self, period: u64, ip: IpAddr) -> [u8; LENGTH] {
        let mut hasher = Sha1::new_with_prefix(self.secret);
        hasher.update(period.to_be_bytes());
        match ip {
            IpAddr::V4(v4) => hasher.update(v4.octets()),
            IpAddr::V6(v6) => hasher.update(v6.octets()),
        }
        let digest: [u8; 20] = hasher.finalize().into();
        std::array::from_fn(|at| digest[at])
    }
}

fn period(now: Time) -> u64 {
    now.nanos() / Time::from(SECRET_LIFE).nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_address_and_for_five_to_ten_minutes() {
        let at = |seconds: u64| Time::ZERO + Duration::from_secs(seconds);
        let (a, b): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let tokens = Tokens::new([7; 32]);
        let token = tokens.token(at(299), a);
        assert!(tokens.accepts(at(299), a, &token) && tokens.accepts(at(599), a, &token));
        assert!(!tokens.accepts(at(600), a, &token), "too old");
        assert!(!tokens.accepts(at(299), b, &token), "somebody else's");
        assert!(!Tokens::new([8; 32]).accepts(at(299), a, &token), "another node's");
        assert!(!tokens.accepts(at(0), a, b"") && !tokens.accepts(at(0), a, &token[1..]));
    }
}
