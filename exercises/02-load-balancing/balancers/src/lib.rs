//! Who gets the next request: by weight, by load, by chance; and who gets none.

/// A server, by its number: 0, 1, 2, …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server(pub usize);

/// Smooth weighted round robin.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    // TODO: what must it remember of each server, so that turns come smoothly?
}

impl RoundRobin {
    /// One server for each weight.
    #[must_use]
    pub fn new(weights: &[u32]) -> Self {
        todo!("keep {weights:?}")
    }

    /// The next of the servers that are usable. Each of them gains its weight; the one that has most is picked, of equals the one with the
    /// least number; it pays what all of them gained. Who is not usable neither gains nor pays. Nothing if nobody is usable who has a weight.
    ///
    /// Linear in the number of servers.
    pub fn pick(&mut self, usable: impl Fn(Server) -> bool) -> Option<Server> {
        todo!("let the usable gain, e.g. {}, and one of them pay", usable(Server(0)))
    }
}

/// A request that a server is working on. Whoever has it hands it back when it is done.
#[derive(Debug, PartialEq, Eq)]
pub struct Connection {
    server: Server,
}

impl Connection {
    /// Who is working on it.
    #[must_use]
    pub const fn server(&self) -> Server {
        self.server
    }
}

/// Least connections: the next request goes where fewest are open.
#[derive(Clone, Debug)]
pub struct LeastConnections {
    // TODO: how do you tell equals apart, so that they take turns?
}

impl LeastConnections {
    /// So many servers, none of which has anything to do.
    #[must_use]
    pub fn new(servers: usize) -> Self {
        todo!("{servers} servers with nothing to do")
    }

    /// Opens a connection to the usable server that has fewest; of equals to the one that was picked longest ago, and before the
    /// first pick to the one with the least number. Nothing if nobody is usable.
    ///
    /// Linear in the number of servers.
    pub fn pick(&mut self, usable: impl Fn(Server) -> bool) -> Option<Connection> {
        todo!("open a connection where fewest are open and it is usable, e.g. {}", usable(Server(0)))
    }

    /// The request is done.
    #[allow(clippy::needless_pass_by_value, reason = "a connection is handed back once")]
    pub fn done(&mut self, connection: Connection) {
        todo!("note that {connection:?} is done")
    }

    /// How many are open there.
    ///
    /// # Panics
    /// If there is no such server.
    #[must_use]
    pub fn open(&self, server: Server) -> u32 {
        todo!("count what is open at {server:?}")
    }
}

/// The less loaded of two *different* servers, drawn at random from all that are usable, each pair as likely as any other; either of them if they
/// are equal. If only one is usable, that one; nothing if none is.
///
/// `draw(n)` gives a number below `n`, each as likely as any other. Asks at most two servers for their load.
pub fn two_choices(
    usable: &[Server],
    load: impl Fn(Server) -> u32,
    mut draw: impl FnMut(usize) -> usize,
) -> Option<Server> {
    todo!("draw two of {usable:?}, e.g. {}, and ask for their loads, e.g. {}", draw(2), load(Server(0)))
}

/// Whether a server is up, by what its probes say.
#[derive(Clone, Debug)]
pub struct Health {
    // TODO: what must it remember besides up and down?
}

impl Health {
    /// Up, until `fall` probes in a row fail; then down, until `rise` in a row succeed.
    ///
    /// # Panics
    /// If one of them is zero.
    #[must_use]
    pub fn new(rise: u32, fall: u32) -> Self {
        todo!("up, with a rise of {rise} and a fall of {fall}")
    }

    /// Takes notice of a probe.
    pub fn probe(&mut self, succeeded: bool) {
        todo!("note that a probe succeeded: {succeeded}")
    }

    /// Whether it is up.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        todo!()
    }
}

/// Servers behind one address. A request goes to whoever has fewest, of those that are up and not draining.
#[derive(Clone, Debug)]
pub struct Pool {
    // TODO: which of a server's states follow from probes, and which from people?
}

impl Pool {
    /// So many servers, all of them up and none draining. See [`Health::new`] for `rise` and `fall`.
    ///
    /// # Panics
    /// As [`Health::new`].
    #[must_use]
    pub fn new(servers: usize, rise: u32, fall: u32) -> Self {
        todo!("{servers} servers with a rise of {rise} and a fall of {fall}")
    }

    /// Opens a connection as [`LeastConnections::pick`] does. Nothing if every server is down or draining.
    pub fn pick(&mut self) -> Option<Connection> {
        todo!("open a connection to a server that is up and not draining")
    }

    /// The request is done, in whatever state its server is by now.
    #[allow(clippy::needless_pass_by_value, reason = "a connection is handed back once")]
    pub fn done(&mut self, connection: Connection) {
        todo!("note that {connection:?} is done")
    }

    /// Takes notice of a probe, also while the server drains. What is open there stays open: a probe says nothing about a request.
    pub fn probe(&mut self, server: Server, succeeded: bool) {
        todo!("note that a probe of {server:?} succeeded: {succeeded}")
    }

    /// From now on the server gets nothing new, until it is resumed.
    pub fn drain(&mut self, server: Server) {
        todo!("let {server:?} drain")
    }

    /// The server drains no longer. It gets requests if it is up, by its probes.
    pub fn resume(&mut self, server: Server) {
        todo!("let {server:?} drain no longer")
    }

    /// Whether the server can be stopped without losing a request: it drains, and nothing is open there.
    #[must_use]
    pub fn may_stop(&self, server: Server) -> bool {
        todo!("say whether {server:?} can be stopped without losing a request")
    }
}
