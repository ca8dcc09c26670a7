//! What a request is for, as far as it matters to the queue: whether others could serve it as well.

/// What a request is for, by a number that the shell chose: equal for equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Content(u64);

impl Content {
    /// The content with number `content`.
    pub const fn new(content: u64) -> Self {
        Content(content)
    }
}

/// Who else could serve a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nobody, as far as its asker knows: it is no peer. Never turned away while there is room in the queue.
    Here,
    /// Others of the swarm, now or soon. Held only while few are: where the queue is long, an asker does better to look
    /// for somebody whose uplink is idle than to stand in it.
    Anywhere(Content),
    /// Nobody yet: it was never sent from here, the only place where it can be.
    OnlyHere(Content),
    /// Its asker gets on without this uplink, as many others do: sent once, and again only where it got lost.
    Once {
        /// What is asked for.
        content: Content,
        /// Nobody else holds it, as far as is known here or to the asker.
        only_here: bool,
    },
    /// Its asker keeps to itself what it gets: while others fill the uplink, it has one slot together with all the others of its kind, so that who cannot
    /// pass anything on (nobody can dial it) is not shut out.
    Spare(Content),
}

impl Demand {
    /// What is asked for, where it matters.
    pub(super) const fn content(self) -> Option<Content> {
        match self {
            Demand::Here => None,
            Demand::Anywhere(content)
            | Demand::OnlyHere(content)
            | Demand::Once { content, .. }
            | Demand::Spare(content) => Some(content),
        }
    }

    /// Whether nobody else had it when it was asked for.
    pub(super) const fn is_only_here(self) -> bool {
        matches!(self, Demand::OnlyHere(_) | Demand::Once { only_here: true, .. })
    }

    /// Whether others could have served it when it was asked for.
    pub(super) const fn is_anywhere(self) -> bool {
        !matches!(self, Demand::Here) && !self.is_only_here()
    }

    pub(super) const fn is_spare(self) -> bool {
        matches!(self, Demand::Spare(_))
    }
}
