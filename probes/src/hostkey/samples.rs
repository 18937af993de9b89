//! Keys and signatures made by OpenSSH's ssh-keygen (`-Y sign`) and OpenSSL, to verify against.

use aws_lc_rs::digest::{SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::wire::write::Writer;

/// A key with one of its signatures.
pub(super) struct Sample {
    pub(super) algorithm: &'static str,
    pub(super) kind: &'static str,
    pub(super) bits: u32,
    pub(super) fingerprint: &'static str,
    key: &'static str,
    signature: &'static str,
    /// What was signed, unless it was the SSHSIG form of `sshprobe`.
    plain: Option<&'static str>,
}

impl Sample {
    pub(super) fn blob(&self) -> Vec<u8> {
        STANDARD.decode(self.key).unwrap()
    }

    pub(super) fn signature(&self) -> Vec<u8> {
        STANDARD.decode(self.signature).unwrap()
    }

    /// OpenSSH's PROTOCOL.sshsig: the magic, the namespace, a reserved field, the hash and the hashed message.
    pub(super) fn message(&self) -> Vec<u8> {
        let mut message = Vec::new();
        match self.plain {
            Some(plain) => message.extend_from_slice(plain.as_bytes()),
            None => {
                let hash = digest(&SHA512, b"sshprobe");
                let mut writer = Writer::new(&mut message);
                writer.bytes(b"SSHSIG").string(b"sample").string(b"").string(b"sha512").string(hash.as_ref());
            }
        }
        message
    }
}

#[rustfmt::skip]
pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        algorithm: "ssh-ed25519",
        kind: "ssh-ed25519",
        bits: 256,
        fingerprint: "SHA256:ijZFLmFAmPAj6cVw53c26pgm7J2rMuyMzgd5Xzy+oWA",
        key: "AAAAC3NzaC1lZDI1NTE5AAAAIFjhJP4+6ZmmXYln+Bl4aUGT4GVahXK8pVmrDchGUz8N",
        signature: "AAAAC3NzaC1lZDI1NTE5AAAAQDXjfmuvbXwwjoOEp/niIrlZCWbvLw4FInIBbe46HqQe+/NWw8glLOYiwisbwiVf6I31e2JXIlFSgOcc/ybz\
            cg0=",
        plain: None,
    },
    Sample {
        algorithm: "ecdsa-sha2-nistp256",
        kind: "ecdsa-sha2-nistp256",
        bits: 256,
        fingerprint: "SHA256:5K0Lnmk1sI4KbH7FbAGaFCsBUxWG3eiCyfW+X7kYqPk",
        key: "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPOvbGWs0LipiJdcLa+jlWd7ldVcR5Tc0/wDujfPtXsY0tTwQ7QIVHSS\
            AaekZj4yH4nEVAdQzGImaOpYYd8a0YA=",
        signature: "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAABJAAAAIQC6ApEMIsCOX0LVsXYfUVxbdankxJ6/RBqucS3ZQR6qVAAAACBuEjrxfjnXpDOCX4pg\
            QFJCWqFfsVy7eurBtwZHg3EduA==",
        plain: None,
    },
    Sample {
        algorithm: "ecdsa-sha2-nistp384",
        kind: "ecdsa-sha2-nistp384",
        bits: 384,
        fingerprint: "SHA256:F+Jgp04xAWt9DdCdPRSgI9tU/KOeHYBgmpGVew23emM",
        key: "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBA0eV/AQcYpzM5ZpJv2YeTxWBZXr8OuLUVsdchAso5gawrZJnQ/aPTao\
            2Z3HHtoTkQexkgbw2E1SivoYyutiFKO3cR+e8XiwCpf39bnFoWUCHl4UA3ip9W0ZImEK61CpJQ==",
        signature: "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAABoAAAAMAfpmCj26cLNCQik8njT4WoX4nAqb2/4RjNWXPwRxy4wjIUYVvaXNhSaZQNC2yQgNQAA\
            ADBbVZo2sYrVgmRuEeMCucQf3WxcWzLz5a8/1lDSIBuxsMlUttcvPEbn92+fC0LGgV8=",
        plain: None,
    },
    Sample {
        algorithm: "ecdsa-sha2-nistp521",
        kind: "ecdsa-sha2-nistp521",
        bits: 521,
        fingerprint: "SHA256:qcCCeTO7+EKJsmYUGce+gddwjK8L1Go+jn8H6hRUN84",
        key: "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBADlDbj+3tVBKyBy6ucd9bJQOzcU/QOESnWqCfPOJAr83VWepQDOQw1M\
            c2ejEmZc43pOCy3AJb3E4srM6oSuCPmUywF7JkKGB6cNX40VlG14MRcaW3nZPWHI1OPBCWtKEfx/jkMUqtqhFAHmP79pxP91KE4FFCR9UqCq\
            glQKqzH1UzQJ5Q==",
        signature: "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAACLAAAAQgGr6HYJfoOQ8Q1wxxEq3iYEOe3Vda3WjTVd511EI+tzpC51XFV+bvmq3H5Lmal1DrZF\
            iFJn3Bk7DpSpXV16D8zssQAAAEFJt3RYYH0dUqwEI+F+LWhgnaAh3qM9YrZ2nrgIHq2KK4mFJEVFbhRir0K30WvR2epVqlo48C4JAmKzCcsz\
            5tK9RA==",
        plain: None,
    },
    Sample {
        algorithm: "rsa-sha2-512",
        kind: "ssh-rsa",
        bits: 2048,
        fingerprint: "SHA256:HgjR4Td3z0EIkKrBIL+mCqOBmcsiVokCD/ndzsGkfc0",
        key: "AAAAB3NzaC1yc2EAAAADAQABAAABAQDRWbZTU1mbCsosrCR2udg/MZNQaOMDC1Vscw6+vnZHagdGNe4SGTBgYeu2prLTLhbupw02V/S6Wjo/\
            Y6oHMj1AsoVf6bqlVr+IOy1SCEaFEdA7corasrXkzaT+evHFJ7tUwaKYkOXmHuylUdOC6JlbNIKdjeNvjmqupE9A5ot5RMELTM6wfd7pu9gq\
            NMP8js88h6oLZ4InSapwDCSurqznQpEfkQhT6wBZ9UWLvvvr+hPjF++vL08bLoc/4Snv6NNqMVAUYjI5ig2Lll6O4ZzRWAZYHnM3/TcXerRa\
            X1DKXOwY1u31WhMKwQ7EIypVc9Nlb2AbySvsuOu6tomsEHSL",
        signature: "AAAADHJzYS1zaGEyLTUxMgAAAQAQ3z0M3cOx4oFq3n9X8DxwRmPkAr5mHok3tKqhUongXcml+3nSVkpcJZoaJQnDZNZamSIcyHhQcN733Iry\
            +B5xWponcfEFRXXSRCjFMl7OathIZaJ0Qlpxvo/JMM5/BxHAwJ5dwsLIZ/c4UHpMc6aXmxIr0mjXVSvUxUhPQ84VWMviGr99fyxSJjt8bKOk\
            ViDxvG8i3Er8u7EG1sgcdzSw7AW1E79ced7FKMvg9velil3CIgLaE9MBAaKugi1CV+X95AUutEWqxC0qY1hToV+TtiE4p01qtxF4wBa2Wz2f\
            AGib3tdBK1uRuiCH6Py3TxwD5JTt6k03M5UuEegrW0GM",
        plain: None,
    },
    Sample {
        algorithm: "rsa-sha2-512",
        kind: "ssh-rsa",
        bits: 1024,
        fingerprint: "SHA256:xCvSJI8kkR/Zte7UXGCeZxzbTULHWHirGJ4ulugI3Do",
        key: "AAAAB3NzaC1yc2EAAAADAQABAAAAgQDsxecn8CAizBJ5RZtfN8UK3gGBqxY3Pn8LYVKS5cevnMyvpmvf4jiBYlQMwLuDHqafh6QETaIJeW8A\
            71Tar4tNU5rcoZucawcDlMAkoByFYOluH7XCtdsqH7ksoKFfZkLyebfCDLrPP34ZAAAIELbbwb0/0Dk27G4+Hqix0vKvew==",
        signature: "AAAADHJzYS1zaGEyLTUxMgAAAIBGJI8SFEfuAWmGgWL9OM50wHNI7I/zCFtM2NXZx8qkHX4YB/p3/Z4ScOV5SFe/CvY96WxqV+vDa9Qme+v9\
            1D2bfdM4A+e2+5qa6oDjDmXEmDm7bLGLG5oS/iDhGmm3J0wv5sMOn4LCWY9g0HSoYR1Zna22vGvNq/T9y1sVfNyR8g==",
        plain: None,
    },
    Sample {
        algorithm: "rsa-sha2-256",
        kind: "ssh-rsa",
        bits: 2048,
        fingerprint: "SHA256:HgjR4Td3z0EIkKrBIL+mCqOBmcsiVokCD/ndzsGkfc0",
        key: "AAAAB3NzaC1yc2EAAAADAQABAAABAQDRWbZTU1mbCsosrCR2udg/MZNQaOMDC1Vscw6+vnZHagdGNe4SGTBgYeu2prLTLhbupw02V/S6Wjo/\
            Y6oHMj1AsoVf6bqlVr+IOy1SCEaFEdA7corasrXkzaT+evHFJ7tUwaKYkOXmHuylUdOC6JlbNIKdjeNvjmqupE9A5ot5RMELTM6wfd7pu9gq\
            NMP8js88h6oLZ4InSapwDCSurqznQpEfkQhT6wBZ9UWLvvvr+hPjF++vL08bLoc/4Snv6NNqMVAUYjI5ig2Lll6O4ZzRWAZYHnM3/TcXerRa\
            X1DKXOwY1u31WhMKwQ7EIypVc9Nlb2AbySvsuOu6tomsEHSL",
        signature: "AAAADHJzYS1zaGEyLTI1NgAAAQApad9/kwulwczsxGt3LngHyoUQnejOE0WQyE6rdd5e+fB4JJ/96kfQJfDo8f5j09N3WgIRDZRto3rN7mbD\
            mi71WsZazSKsUe7j72nA2QyY4v/bhijkp6d4Hts9HSzhDsq15nCuRHv5GTy7iIjObHBa25AJoh1LW6XX1WCpBwX7EtOpFJhMbN/tdsR1Jy/D\
            GnjNUYTGSpSD/69KzspnAhq3iPp2d9Fr26js3TIdbFmi618RjUFXJpMx9b8Vc6knUeOYJTZA3wEef4jJl/bzvmSDgjSjV4ZTzj4HsYwjh4w9\
            fYYjaNViYV5REkl9SblrG1hgT33npmaN8qILSEM12IBX",
        plain: None,
    },
    Sample {
        algorithm: "rsa-sha2-256",
        kind: "ssh-rsa",
        bits: 1024,
        fingerprint: "SHA256:xCvSJI8kkR/Zte7UXGCeZxzbTULHWHirGJ4ulugI3Do",
        key: "AAAAB3NzaC1yc2EAAAADAQABAAAAgQDsxecn8CAizBJ5RZtfN8UK3gGBqxY3Pn8LYVKS5cevnMyvpmvf4jiBYlQMwLuDHqafh6QETaIJeW8A\
            71Tar4tNU5rcoZucawcDlMAkoByFYOluH7XCtdsqH7ksoKFfZkLyebfCDLrPP34ZAAAIELbbwb0/0Dk27G4+Hqix0vKvew==",
        signature: "AAAADHJzYS1zaGEyLTI1NgAAAH88Dpv7PqYo/YMpBZhmsoG+P8H+qcloYVTlNmvdr7dNyRpkqc0iN5wsThDrdrg3lmuWS05ABjo6yGBBtcU+\
            IOoiFfE7pnhYt7p/whZi3T4iynS0VT3YHBJGE0I7c3fX0h5oLZcDiuEbAb5/8Hmt9MRayrcfEo0y+5vwKSBkGqtZ",
        plain: Some("sample 9"),
    },
];
