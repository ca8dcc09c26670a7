//! What a simulation is run with, apart from what it is of.

/// How a rollout is simulated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The limits that the brains run with.
    pub brains: Brains,
    /// How much is asserted.
    pub checks: Checks,
}

impl Settings {
    /// The brains as `peer` runs them.
    #[must_use]
    pub fn shipped(chunk_bytes: u32) -> Self {
        Settings { brains: Brains::shipped(chunk_bytes), checks: Checks::Changes }
    }
}

/// The limits that the brains run with.
#[derive(Clone, Debug)]
pub struct Brains {
    /// Of every download.
    pub download: swarm::Config,
    /// Of every seed's uploads.
    pub seed_upload: swarm::UploadConfig,
    /// Of every leecher's uploads.
    pub upload: swarm::UploadConfig,
}

impl Brains {
    /// As `peer` runs them.
    #[must_use]
    pub fn shipped(chunk_bytes: u32) -> Self {
        Brains {
            download: swarm::Config {
                chunk_bytes,
                // What `peer` sets: see `sharing` and `download/roster` there.
                in_flight_bytes: 10 << 20,
                neighbours_most: 60,
                ..swarm::Config::default()
            },
            seed_upload: swarm::UploadConfig::default(),
            upload: swarm::UploadConfig::default(),
        }
    }
}

/// How much is asserted after every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// What the event changed.
    Changes,
    /// Everything about the peer it happened to: for small runs.
    Everything,
}
