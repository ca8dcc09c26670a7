//! What may stand in a scenario file, field by field.

use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use toml::Spanned;

use crate::rollout::{Arrival, Conduct, Network, Role};
use crate::units::{Rate, Share, Size, Span};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Form {
    pub(super) size: Spanned<Size>,
    pub(super) chunk_size: Option<Spanned<Size>>,
    pub(super) seed: Option<Spanned<u64>>,
    pub(super) limit: Option<Spanned<Span>>,
    pub(super) patience: Option<Spanned<Span>>,
    #[serde(default)]
    pub(super) network: NetworkForm,
    #[serde(default)]
    pub(super) site: Vec<SiteForm>,
    #[serde(default)]
    pub(super) group: Vec<Spanned<GroupForm>>,
    #[serde(default)]
    pub(super) faults: FaultsForm,
}

/// `[network]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct NetworkForm {
    pub(super) rtt: Option<Spanned<Span>>,
    pub(super) headers: Option<Headers>,
    pub(super) window: Option<Spanned<Size>>,
    pub(super) first_window: Option<Spanned<Size>>,
    pub(super) buffer: Option<Spanned<Size>>,
    pub(super) queue: Option<Spanned<Span>>,
    pub(super) uplink_queue: Option<Spanned<Span>>,
    pub(super) gains_every: Option<Spanned<Span>>,
    pub(super) store: Option<Spanned<Span>>,
    pub(super) control: Option<bool>,
}

/// `[[site]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SiteForm {
    pub(super) name: Spanned<String>,
    pub(super) up: Spanned<Rate>,
    pub(super) down: Option<Spanned<Rate>>,
    pub(super) delay: Option<Spanned<Span>>,
}

/// `[[group]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GroupForm {
    pub(super) name: Option<Spanned<String>>,
    pub(super) role: RoleForm,
    pub(super) count: Option<Spanned<u32>>,
    pub(super) up: Spanned<Rate>,
    pub(super) down: Option<Spanned<Rate>>,
    pub(super) rtt: Option<Spanned<Span>>,
    pub(super) loss: Option<Share>,
    pub(super) site: Option<Spanned<String>>,
    pub(super) dialable: Option<bool>,
    pub(super) conduct: Option<ConductForm>,
    pub(super) arrival: Option<Spanned<ArrivalForm>>,
    pub(super) vanish: Option<VanishForm>,
    pub(super) lingers: Option<Spanned<Span>>,
}

/// `vanish = { percent = 20, within = "30s" }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VanishForm {
    pub(super) percent: Spanned<u32>,
    pub(super) within: Spanned<Span>,
}

/// `[faults]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct FaultsForm {
    pub(super) tracker_away: Vec<Spanned<(Span, Span)>>,
    pub(super) seed_dies: Option<Spanned<SeedDiesForm>>,
}

/// `seed-dies = { at = "30s" }` or `{ copies = 1.5 }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedDiesForm {
    pub(super) at: Option<Spanned<Span>>,
    pub(super) copies: Option<Spanned<f64>>,
}

/// `"seed"` or `"leecher"`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RoleForm {
    Seed,
    Leecher,
}

impl From<RoleForm> for Role {
    fn from(form: RoleForm) -> Self {
        match form {
            RoleForm::Seed => Role::Seed,
            RoleForm::Leecher => Role::Leecher,
        }
    }
}

/// `"honest"`, `"free-rider"` or `"liar"`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ConductForm {
    Honest,
    FreeRider,
    Liar,
}

impl From<ConductForm> for Conduct {
    fn from(form: ConductForm) -> Self {
        match form {
            ConductForm::Honest => Conduct::Honest,
            ConductForm::FreeRider => Conduct::FreeRider,
            ConductForm::Liar => Conduct::Liar,
        }
    }
}

/// `"at once"`, `"every 500ms"` or `"within 10s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ArrivalForm(pub(super) Arrival);

/// A text that says nothing about when somebody comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected \"at once\", \"every 500ms\" (one after the other) or \"within 10s\" (each at a random moment of it)"
)]
pub(super) struct BadArrival;

impl TryFrom<String> for ArrivalForm {
    type Error = BadArrival;

    fn try_from(text: String) -> Result<Self, BadArrival> {
        text.parse()
    }
}

impl FromStr for ArrivalForm {
    type Err = BadArrival;

    fn from_str(text: &str) -> Result<Self, BadArrival> {
        let span = |text: &str| text.parse().map(|Span(span)| span).map_err(|_| BadArrival);
        match text.split_once(' ') {
            Some(("at", "once")) => Ok(ArrivalForm(Arrival::AtOnce)),
            Some(("every", apart)) => Ok(ArrivalForm(Arrival::Staggered(span(apart)?))),
            Some(("within", time)) => Ok(ArrivalForm(Arrival::Within(span(time)?))),
            _ => Err(BadArrival),
        }
    }
}

/// `true`, `false`, or a share like `"4.6%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Headers {
    pub(super) millionths: u64,
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl Visitor<'_> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("true, false, or a share like \"4.6%\"")
    }

    fn visit_bool<E: Error>(self, usual: bool) -> Result<Headers, E> {
        let millionths = if usual { Network::default().headers_ppm } else { 0 };
        Ok(Headers { millionths })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Headers, E> {
        let share: Share = text.parse().map_err(E::custom)?;
        Ok(Headers { millionths: share.millionths().into() })
    }
}
