//! Who may announce which host (threats A5, A6).
//!
//! A tracker that believes every host can be made to call a target, or to send others there (GHSA-chwm-m7g7-685g). So
//! a host is taken if it equals, or resolves only to, the address the request came from; or both are loopback; or the
//! operator allows it. The same question is asked again right before dialling, of the addresses the name has then.

use std::net::IpAddr;

use protocol::Host;
use registry::Target;

use crate::AllowRule;
use crate::resolver::Resolver;

/// Why a host is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(
        "{host} is not where this request came from ({source_address}): announce your own address, or have the \
         tracker's operator allow it with --allow-announce <CIDR or DNS suffix>"
    )]
    Foreign { host: Host, source_address: IpAddr },
    #[error("{host} has no address, or too many")]
    Unresolved { host: Host },
}

/// The question, with the operator's rules.
#[derive(Clone, Debug)]
pub(crate) struct SourceFilter {
    rules: Vec<AllowRule>,
    resolver: Resolver,
}

impl SourceFilter {
    pub(crate) fn new(rules: Vec<AllowRule>, resolver: Resolver) -> Self {
        SourceFilter { rules, resolver }
    }

    /// The addresses of `host`, if one who comes from `source` may announce it. Never empty.
    pub(crate) async fn addresses(&self, source: IpAddr, host: &Host) -> Result<Vec<IpAddr>, Refused> {
        let source = source.to_canonical();
        let (addresses, vouched) = match host {
            Host::Ip(address) => (vec![*address], false),
            Host::Name(name) => {
                let vouched = self.rules.iter().any(|rule| rule.allows_name(name));
                (self.resolver.addresses(name).await, vouched)
            }
        };
        if addresses.is_empty() {
            return Err(Refused::Unresolved { host: host.clone() });
        }
        if addresses.iter().all(|address| vouched || self.is_taken(source, *address)) {
            Ok(addresses)
        } else {
            Err(Refused::Foreign { host: host.clone(), source_address: source })
        }
    }

    /// As whose a listing of `host` counts, if one who comes from `source` may announce it: for itself it is the
    /// source, whatever the name; where the operator vouches for others, each of those.
    pub(crate) async fn target(&self, source: IpAddr, host: &Host) -> Result<Target, Refused> {
        let addresses = self.addresses(source, host).await?;
        // The least of several: the order in which a resolver tells them changes.
        Ok(Target::of(addresses.into_iter().min().unwrap_or(source)))
    }

    fn is_taken(&self, source: IpAddr, address: IpAddr) -> bool {
        address == source
            || (address.is_loopback() && source.is_loopback())
            || self.rules.iter().any(|rule| rule.allows_address(address))
    }

    /// Whether the operator named this host or one above it.
    pub(crate) fn vouches_for(&self, host: &Host) -> bool {
        self.rules.iter().any(|rule| match host {
            Host::Ip(address) => rule.allows_address(*address),
            Host::Name(name) => rule.allows_name(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn filter(rules: &[&str], answers: &'static [&'static [&'static str]]) -> SourceFilter {
        let asked = Arc::new(AtomicUsize::new(0));
        let resolver = Resolver::new(move |_| {
            let answer = answers[asked.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)];
            Box::pin(async move { Ok(answer.iter().map(|text| text.parse().unwrap()).collect()) })
        });
        SourceFilter::new(rules.iter().map(|rule| rule.parse().unwrap()).collect(), resolver)
    }

    async fn takes(filter: &SourceFilter, source: &str, host: &str) -> bool {
        filter.addresses(source.parse().unwrap(), &host.parse().unwrap()).await.is_ok()
    }

    #[tokio::test]
    async fn a05_an_address_is_taken_from_itself_between_loopbacks_or_by_rule() {
        let none = filter(&[], &[&[]]);
        for (source, host, taken) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", true),
            ("::1", "127.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "127.0.0.1", false),
            ("10.0.0.1", "::ffff:127.0.0.1", false),
            ("127.0.0.1", "10.255.255.1", false),
            ("127.0.0.1", "169.254.169.254", false),
            ("10.0.0.1", "0.0.0.0", false),
        ] {
            assert_eq!(takes(&none, source, host).await, taken, "{host} from {source}");
        }
        let site = filter(&["10.0.0.0/8"], &[&[]]);
        assert!(takes(&site, "10.0.0.1", "10.0.0.2").await);
        assert!(!takes(&site, "10.0.0.1", "127.0.0.1").await);
    }

    #[tokio::test]
    async fn a05_a_name_is_taken_only_if_every_address_it_has_would_be() {
        assert!(takes(&filter(&[], &[&["10.0.0.1"]]), "10.0.0.1", "a.example").await);
        assert!(!takes(&filter(&[], &[&["10.0.0.1", "169.254.169.254"]]), "10.0.0.1", "a.example").await);
        assert!(!takes(&filter(&[], &[&[]]), "10.0.0.1", "a.example").await, "no address at all");
        assert!(takes(&filter(&["example"], &[&["10.9.9.9"]]), "10.0.0.1", "a.example").await);
    }

    #[tokio::test]
    async fn a05_a_name_that_changes_its_address_is_asked_again() {
        let rebinding = filter(&[], &[&["10.0.0.1"], &["127.0.0.1"]]);
        assert!(takes(&rebinding, "10.0.0.1", "a.example").await, "as announced");
        assert!(!takes(&rebinding, "10.0.0.1", "a.example").await, "as dialled later");
    }

    #[tokio::test]
    async fn a05_the_refusal_names_the_flag() {
        let refused =
            filter(&[], &[&[]]).addresses([127, 0, 0, 1].into(), &"10.255.255.1".parse().unwrap()).await;
        assert!(refused.unwrap_err().to_string().contains("--allow-announce"));
    }
}
