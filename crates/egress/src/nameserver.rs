//! Names, asked of one DNS server instead of this machine's resolver (RFC 1035).

use std::{
    future::Future,
    io::{self, Error, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use simple_dns::{rdata::RData, Name, Packet, PacketFlag, Question, CLASS, RCODE, TYPE};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use crate::upstream::Resolve;

/// How long a datagram's answer is waited for, and how often one is sent.
const PATIENCE: Duration = Duration::from_secs(2);
const TRIES: usize = 3;
/// The most bytes of an answer in a datagram.
const MOST: usize = 4096;
/// The most aliases (CNAME) in a row.
const ALIASES: usize = 16;
const PORT: u16 = 53;

/// The address of a server, whose port is 53 if none is named.
pub fn address(text: &str) -> Option<SocketAddr> {
    let alone = || text.parse().ok().map(|address: IpAddr| SocketAddr::new(address, PORT));
    text.parse().ok().or_else(alone)
}

/// By that server.
pub fn ask(server: SocketAddr) -> Resolve {
    std::sync::Arc::new(move |name| {
        Box::pin(async move {
            let (v4, v6) = tokio::join!(
                addresses(server, &name, TYPE::A),
                addresses(server, &name, TYPE::AAAA)
            );
            match (v4, v6) {
                // Servers that know nothing of version 6 may say anything.
                (Ok(mut all), v6) if !all.is_empty() || v6.is_ok() => {
                    all.extend(v6.into_iter().flatten());
                    Ok(all)
                }
                (Err(_), Ok(all)) if !all.is_empty() => Ok(all),
                (Err(error), _) | (_, Err(error)) => Err(error),
                (Ok(all), Ok(_)) => Ok(all),
            }
        })
    })
}

async fn addresses(server: SocketAddr, name: &str, kind: TYPE) -> io::Result<Vec<IpAddr>> {
    let query = Query::new(name, kind)?;
    let answer = match query.by_datagram(server).await? {
        Some(answer) => answer,
        None => query.by_stream(server).await?,
    };
    query.read(&answer)
}

struct Query<'a> {
    name: &'a str,
    id: u16,
    bytes: Vec<u8>,
}

fn invalid(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidData, error.to_string())
}

impl<'a> Query<'a> {
    fn new(name: &'a str, kind: TYPE) -> io::Result<Self> {
        let id = rand::random();
        let mut packet = Packet::new_query(id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        let asked = Name::new(name).map_err(invalid)?;
        packet.questions.push(Question::new(asked, kind.into(), CLASS::IN.into(), false));
        Ok(Self { name, id, bytes: packet.build_bytes_vec().map_err(invalid)? })
    }

    /// `None`: the answer is too long for that.
    async fn by_datagram(&self, server: SocketAddr) -> io::Result<Option<Vec<u8>>> {
        let any: SocketAddr = if server.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(server).await?;
        for _ in 0..TRIES {
            socket.send(&self.bytes).await?;
            let answered = async {
                let mut space = vec![0; MOST];
                loop {
                    let length = socket.recv(&mut space).await?;
                    // What answers something else is somebody's attempt.
                    if let Some(truncated) = self.is_answered(&space[..length]) {
                        space.truncate(length);
                        return io::Result::Ok((!truncated).then_some(space));
                    }
                }
            };
            if let Ok(answer) = timeout(PATIENCE, answered).await {
                return answer;
            }
        }
        Err(Error::new(ErrorKind::TimedOut, format!("{server} does not answer")))
    }

    async fn by_stream(&self, server: SocketAddr) -> io::Result<Vec<u8>> {
        in_time(server, async {
            let mut stream = TcpStream::connect(server).await?;
            let length = u16::try_from(self.bytes.len()).map_err(invalid)?;
            stream.write_all(&[&length.to_be_bytes(), &self.bytes[..]].concat()).await?;
            let length = stream.read_u16().await?;
            let mut answer = vec![0; length.into()];
            stream.read_exact(&mut answer).await?;
            match self.is_answered(&answer) {
                Some(_) => Ok(answer),
                None => Err(invalid("the answer is to another question")),
            }
        })
        .await
    }

    /// Whether these bytes are an answer to this query; if so, whether some of it is missing.
    fn is_answered(&self, bytes: &[u8]) -> Option<bool> {
        let packet = Packet::parse(bytes).ok()?;
        let own = Packet::parse(&self.bytes).ok()?;
        let same = |(asked, own): (&Question<'_>, &Question<'_>)| {
            is_same(&asked.qname, &own.qname.to_string()) && asked.qtype == own.qtype
        };
        let is_own = packet.id() == self.id
            && packet.has_flags(PacketFlag::RESPONSE)
            && packet.questions.len() == own.questions.len()
            && packet.questions.iter().zip(&own.questions).all(same);
        is_own.then(|| packet.has_flags(PacketFlag::TRUNCATION))
    }

    fn read(&self, answer: &[u8]) -> io::Result<Vec<IpAddr>> {
        let packet = Packet::parse(answer).map_err(invalid)?;
        match packet.rcode() {
            RCODE::NoError => {}
            RCODE::NameError => {
                return Err(Error::new(ErrorKind::NotFound, "there is no such name"));
            }
            code => return Err(invalid(format!("the server answers {code:?}"))),
        }
        let mut owner = self.name.to_owned();
        for _ in 0..ALIASES {
            let alias = packet.answers.iter().find_map(|record| match &record.rdata {
                RData::CNAME(alias) if is_same(&record.name, &owner) => Some(alias.0.to_string()),
                _ => None,
            });
            match alias {
                Some(alias) => owner = alias,
                None => break,
            }
        }
        let own = packet.answers.iter().filter(|record| is_same(&record.name, &owner));
        let addresses = own.filter_map(|record| match &record.rdata {
            RData::A(a) => Some(IpAddr::V4(a.address.into())),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.address.into())),
            _ => None,
        });
        Ok(addresses.collect())
    }
}

fn is_same(name: &Name<'_>, other: &str) -> bool {
    name.to_string().eq_ignore_ascii_case(other)
}

async fn in_time<T>(
    server: SocketAddr,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::TimedOut, format!("{server} does not answer")))
    })
}

#[cfg(test)]
mod tests {
    use simple_dns::{
        rdata::{A, AAAA, CNAME},
        ResourceRecord, QTYPE,
    };
    use tokio::net::TcpListener;

    use super::*;

    const ADDRESS: [u8; 4] = [192, 0, 2, 7];

    /// What a server says to a query.
    fn answer(query: &[u8], truncated: bool) -> Vec<u8> {
        let query = Packet::parse(query).unwrap();
        let question = query.questions[0].clone();
        let name = question.qname.to_string();
        let mut packet = query.clone().into_reply();
        let record = |name: &'static str, rdata| {
            ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, 60, rdata)
        };
        let v4 = RData::A(A { address: u32::from_be_bytes(ADDRESS) });
        match (&*name, question.qtype) {
            ("a.test", QTYPE::TYPE(TYPE::A)) => packet.answers.push(record("A.test", v4)),
            ("alias.test", QTYPE::TYPE(TYPE::A)) => {
                let alias = CNAME(Name::new_unchecked("a.test"));
                packet.answers.push(record("a.test", v4.clone()));
                packet.answers.push(record("alias.test", RData::CNAME(alias)));
                let other = RData::A(A { address: 1 });
                packet.answers.push(record("other.test", other));
            }
            ("six.test", QTYPE::TYPE(TYPE::AAAA)) => {
                packet.answers.push(record("six.test", RData::AAAA(AAAA { address: 1 })));
            }
            ("a.test" | "alias.test" | "six.test", _) => {}
            _ => *packet.rcode_mut() = RCODE::NameError,
        }
        if truncated {
            packet.answers.clear();
            packet.set_flags(PacketFlag::TRUNCATION);
        }
        packet.build_bytes_vec().unwrap()
    }

    /// A server. `rude`: before each answer comes one to another query, and the first query has none; the true
    /// answers come by streams alone.
    async fn serve(rude: bool) -> Resolve {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = socket.local_addr().unwrap();
        let listener = TcpListener::bind(server).await.unwrap();
        tokio::spawn(async move {
            let mut space = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut space).await {
                let mut query = space[..length].to_vec();
                if rude {
                    query[0] ^= 1;
                    socket.send_to(&answer(&query, false), from).await.unwrap();
                    query[0] ^= 1;
                }
                socket.send_to(&answer(&query, rude), from).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut query = vec![0; stream.read_u16().await.unwrap().into()];
                stream.read_exact(&mut query).await.unwrap();
                let answer = answer(&query, false);
                stream.write_u16(answer.len() as u16).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        ask(server)
    }

    #[tokio::test]
    async fn a_name_has_the_addresses_that_the_server_says() {
        for rude in [false, true] {
            let resolve = serve(rude).await;
            for name in ["a.test", "alias.test"] {
                assert_eq!(resolve(name.into()).await.unwrap(), [IpAddr::from(ADDRESS)], "{name}");
            }
            let six: IpAddr = "::1".parse().unwrap();
            assert_eq!(resolve("six.test".into()).await.unwrap(), [six]);
            let error = resolve("none.test".into()).await.unwrap_err();
            assert_eq!(error.to_string(), "there is no such name");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_silent_is_given_up() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let error = ask(socket.local_addr().unwrap())("a.test".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn a_server_is_an_address_with_or_without_a_port() {
        assert_eq!(address("127.0.0.1:5353"), Some(([127, 0, 0, 1], 5353).into()));
        assert_eq!(address("::1"), Some("[::1]:53".parse().unwrap()));
        assert_eq!(address("dns.example.org"), None);
    }
}
