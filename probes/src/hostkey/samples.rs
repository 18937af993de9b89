//! Keys and signatures made by OpenSSH's ssh-keygen (`-Y sign`, `-s`) and OpenSSL, to verify against. Those of security keys
//! were made by hand, and ssh-keygen (`-Y verify`) found them good.

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
    Sample {
        algorithm: "ssh-rsa",
        kind: "ssh-rsa",
        bits: 768,
        fingerprint: "SHA256:FVSDEhRHizpbTRq5vvBKTDhhxa6NcqJujE37e6lSSd0",
        key: "AAAAB3NzaC1yc2EAAAADAQABAAAAYQC75AYqNqc/IKnDY0QR0dmtjX3UrhK9/RvYNRlHSyQ4xM3qa0uh7av67CpUecDPXI7tob7DEdROtlwjy+\
            Y9EYNQxelx/fuCbbBIwtUDe+fLA6ESflPOjkpQGKTVdyVcgXk=",
        signature: "AAAAB3NzaC1yc2EAAABgZex+v8zzbqjRyj7DRCBRVmQtn5xzDnvD2X7AgkKDFDIrdO94B5YubnakP5gq8jOMudyaqboJsT59zCHlCEXM0L0J8u\
            lVHge+c3UlaacFdLI7v3H0U4IrSE2QY/Z4NaUM",
        plain: Some("signed 1"),
    },
    Sample {
        algorithm: "rsa-sha2-256",
        kind: "ssh-rsa",
        bits: 768,
        fingerprint: "SHA256:FVSDEhRHizpbTRq5vvBKTDhhxa6NcqJujE37e6lSSd0",
        key: "AAAAB3NzaC1yc2EAAAADAQABAAAAYQC75AYqNqc/IKnDY0QR0dmtjX3UrhK9/RvYNRlHSyQ4xM3qa0uh7av67CpUecDPXI7tob7DEdROtlwjy+\
            Y9EYNQxelx/fuCbbBIwtUDe+fLA6ESflPOjkpQGKTVdyVcgXk=",
        signature: "AAAADHJzYS1zaGEyLTI1NgAAAGB6Vfg5s7jbG3quBvsrmsWKi/NG39AomuqzvyRYvNiiK4e4qmT4IzPPsgX6ZuGhn8I7+mEvmF7kZ2aSBrDg5R\
            c0nOtiu8AO6xKmtPoUOPMdyz31mt9OGSNdlyiWXawLjlY=",
        plain: Some("signed 2"),
    },
    Sample {
        algorithm: "ssh-rsa",
        kind: "ssh-rsa",
        bits: 2048,
        fingerprint: "SHA256:emodTBaf7PSEew9pVQvCACxKaxS/D6cwtPKUYl+YegE",
        key: "AAAAB3NzaC1yc2EAAAADAQABAAABAQCish6B5d/XQiyvTVPgGmRT57evi6DfHJIJZVkkOQxkiu0avP+Rx/gqX/0k6z/hfslOek+WuGXRPuNI/N\
            hdjkVohw8a0Vmsi90i5hsJXxZBenNmoxqPdD2CZWtViuyKgDtFsVegH25GiBd7OFH2ghl+ZhunAZyGsxPDLRIWcwo4mSc/Ck+Yokex6uXEMzM+\
            gDMHLvoERANZamNchR+KvD6sIl8+RQNyJHEiC8NdBw+FeB9zjE/rqM2F3VDn0fHSVXUxt38wf+0Y6TDMoNl8yMmiodW6OV9n5u2sUWxNef/2Ux\
            cSZrfhZ2VFNqRLXx0ibNb0oU5mdpK4P29UQlS1gmAF",
        signature: "AAAAB3NzaC1yc2EAAAEAQlKzxiLIMSyyrPFX9zNbkmEKnIhUV+UI7UhOTuyoSVDrEyWDTj6VKpaEvPb+tJTBczEicVWqcRATpeQtDmBMkCLQ39\
            Yjguy8lLC5Qv2PuyyBxGpDWGeep5oOtYRUGl0/NQRASNi54/q3lWRe+JyBiD7Tl7jrrla7QXCNRlCrcOTqEun5fFMCEWYij8YBzA1r9xuU2oUH\
            lD2Dqc+bkeAjAOZAj38xhNawQBpK3ivQqZt9A+g/gdanT0Tntr7/WATg1hBkLW6wxnd4C4NNNVyl98I7m5DExuyVT1tVt+hSOztPU65FrVlj7w\
            ksqWnieQVYUS7x0etZO6fFblVeZqe4ZA==",
        plain: Some("signed 3"),
    },
    Sample {
        algorithm: "rsa-sha2-512",
        kind: "ssh-rsa",
        bits: 9000,
        fingerprint: "SHA256:C0NQroyHBNwki8DaBFrvYa5sdB3PS1jDgygdi9UvUn0",
        key: "AAAAB3NzaC1yc2EAAAADAQABAAAEZgCtwoMTuhHVgtSqHNpHJSPdwZqls8gXwZscE4MR7rCkImLj8mEmF3ZRUdGPMj+Nk+2rQx5i1M3X6VkCjs\
            +SuT/bbZVxlVxgyzeH6IFpQBOBWmjWGoNxVtzXcBFgnElHiIgnXKhiszzsS1rS20o5AbJemQmxijoL/4gO7qjpqJpQnN3SBp7m744jjSc5G5XG\
            cCHvAqGNKx6cEhEAWULLZyirWstXjEJHBDDG/R7oqH8SyvKOYzvBEZM6skoRpvzYSRpNaFkmoJsYtdu3d0UJyeNRaKtoRpnEklY1k0qZ2cELGr\
            7eIVJ3pfe4ekMK82umXYEBYwmL1OLTep6Ln3i62HwyRcdSqKWcAQ3Z/UQXb2DFtHkHrEliSkKXam/FWSvcmB6yDXFix62b0ctjnJ4S58p0j46q\
            hekUUGZPJh0YbHQWYktrlHpKO9ImJmhRzVrxT/PXMc/9srM/rVWWr7fLycD0bu5ktTuFe2I3BesZp5lOayMw8Fm5UxRRgc3af9rSXznvc2Reib\
            H/Auf6BZsiWaBep/YfgZd8/HaEcNi8CPlt2xZpXfkBTQa0Xuo37hNaQcPttFKREx1/2HOIQ1vuNFfQjGhl/rOCnBZKiwdAYc4ufrzrbziUp8CZ\
            j6Jg1WtY3VkMtygRtbftCl9CKfzelThCdhAhP3NeZq38gRdzrI6MY70pkEWYmAAnYHlctEe4VyhlVSMlE3Rkyknu2zF2TKJNy3H/7/xQQGsb90\
            U8CA+JZ8LfIJJytPW9ned70QAGaHQWXzEufUjeZ8g9I8JhlIOPAcxZiOxgVSV1j4zl150IE7ZDt+H9426sT+SiHTV/N3RMeeVBHu7Skkk3auZ6\
            3/t+N0in7w6UeMs5T8N1eDf3Bg3L+JFrzv0P5qzT5bB4+sSRA0jrinTQbdK6VbUfZ987Yor22amM+vB0uslcG/lTyq37K6ClWEPUTGymUpjA66\
            A/XeNxOHPIdF4o84dMEQNudXToNnuDwyFJ5mUVZYyuZtED0BRtJBEPRCXmBn0vx52XcA+0K3OmGEwhN0sF4Ib8KP11FM/Zwsob5Qk5Y8IwJdav\
            qmIBlxkBuOt+kBZEno+Q6J2NLbefsb/9wJvb5S3Ces6nDXnOQJV0tCl529pWbkHUSU4kHxUaFecwZOH0guhM4SrwGsnfanq+ezPRl96adNEwoY\
            lH66tsm1d2SSgUcld0UQ6tameLBmq9baYcZatNvpbCK+1Ge6Jebt5WAOeQ+v0vwEUq6LdXkMD/mTDHlzbQaCqmBEf3yWdDBNvMBRDrPPlkVLjy\
            MLTiHnKngtkS3PNzAwSE6aSzaup8ev6AykvQ/7J3gCY9p6RRhb7p+/lg7abGPu6edSI8AKJfYHLmBb60bA/7+PSi91XaX29dm4Nv6YLewy0h0V\
            5qBtObT0XPe3Y6DxOxppD5KsnIgSB2hsilJbn+Q2zCncfcU6a41zIQuv6LHlhgg3s/HRjsFm53XqDuyvHddKtQR23OIjaK4gpzTKc=",
        signature: "AAAADHJzYS1zaGEyLTUxMgAABGU1mYz1ZgpjdaLjCG302nBnLTUeiRFfCE6snjbIDD/UEDQJDay9O+sPI7N+t1QSofaX3MbiqkkQwDwt4kt+Eh\
            gg/cNVFtiCkLjIUWYt5+6aup+SVdgaWuGsEN1UEXU9XKtiJEhXySoSqvFprpJspZVOIOjfjTTWmyS9DESk7RMmTLQnydvzU3mC4y5ItKlUf7JQ\
            iy322jnt7zUN34d/PMW3fahe+KpfEdVqpHrQwJY5gYZxFz2YuZLGHuRu1tG9mnSCZV74Zx0Al21XyUg+yJkwiErWiw/905Kd9VsrI+c/Uemak1\
            GQv6ZiS/EiLnhBMcKMyF52FGQtl9jUYUO9ylkk3xCviFdERa3/qtbD7wrUt14glUmw3LtpnWU7+o0cIR0cEpJ6NIjOxzKdJOJ7wNkyqI7J664F\
            1R2HTUlSoQ4Acwh3UAo/wdqO/03mVXKSUzprC7Mg6i2x26LzKViJku18b9FLijW6AYwGT46UB2rjNFsTbg0q13ylNIUpmz31TumHM10QJ1GaC8\
            pUosOtwcw2qf8IBMIbuZvbcyFBi4hOZ1j+nIp8l2lKLlFFNWOa7vvKr6aeCE/vaj5rjSfreE9yOIVvxmx/SaL/78N8gnBCPQDPNm3dQg45CsNW\
            1pIDlEIYY3lw34YjsTko+aFMH8JellTkbaMZypQS6OvCm/UQ4mjCJBFnuLW9BPUiffpTCFsIZbeb6bq2e6/oJEAow8xSXL8a+KA3B0PLvX02UX\
            7nrfxkXSZt6m/LGHnrHooU736rZzJ7/7H3rqIdJtMqglcJDd+c+nHIIRlUWVVJhp/ejhURqxV9n+HzD2K5J5Z2YLgycXpym2asF6BlDczzISod\
            BfuAmOuyHXlHunrSALMtSp+gPaEEXeDjhIo2cJHWwzyBeT7+sLjY8YRnlmjX2QiEfqSwt0uN1qbp+bKm9pF9m0Lm8Sz3y+e5Ewd2J3CxtQ94zW\
            fNhsByehrW/VpggkOX201jq+GxZMQkeIASAvrFrtWd4UJe4V98GR/kkC+yTCRtu/PAx1yAEMHkw3yuTO6fVxWXhKBmOC/jHd2Ay9BlFKfFQCRf\
            Dxf6UhDSycqvZhbF2S2Y5B2OpX0NHUY7hAcU3pNIF7qbrjzFQUpGiZA159qlfAxJzWLjp1MxFiTJ9yoHmNgEMLh8+oBn7qNScLxaaJXaoEvK7c\
            SAnPPJRuDJOHDF1lTPVn6G6nAqSBiWjUmDmJKHgh2+s8Ru+gTmrC5S4GvHdo/frnEk3v3YocCE+rYijuURnTa/ZE6Ml3WfLHWX1b+OM9+Dc2+R\
            VZTt+BKvQFhqwKBSWuYmvSvWTz6Y1Ajt75zRd/3bZGq99CY3Hwt8A8d6EQxuLHTHkw0w/66eZiWWuoq3GaoxpYAMatKwbrPpFgUWAJRrktF1LE\
            NNf11X40CCS5WXPSAWDXFUKrzhh3Mcm1RFKD7Rkiyb03rsIIjVPidOAxZHekSKT4f0s3p3SKRX5PZah4vTyWM4k+hE4OLBLQo=",
        plain: Some("signed 4"),
    },
    Sample {
        algorithm: "rsa-sha2-256",
        kind: "ssh-rsa",
        bits: 16384,
        fingerprint: "SHA256:0YRlQOR2KKYiKdUWHpXpLNq5dW7JmxZRsOmbm6Wri0M",
        key: "AAAAB3NzaC1yc2EAAAADAQABAAAIAQC0fQEXIZFcGN0MF2S2zZ5VNYoEUpbfn6sZ0xVfIWfp1kO1X+7IR1PhbssB8M8Nwho5RSRQz1FgMOnRU0\
            rqy9ZLPgF3X1jloAmyniSJ8q6ixIeachoLj6bYGRDXFZivC3vPSSl4qH4zriCWnflAbUJBF75SejzVMFnZvcfwhBa7LLnTafkkco4DqXC4swxF\
            aSE3FrCa75ukVgiufNaXEFMZUFrmXuldCh9i2ZRY/NXYIAas+GH+Bk9I07DT9h6JPTjtIDsiPbGSjG/EPFuIHbJAuZThtDOB26phaGtHr2rs1y\
            kn9ZKpwBYWbnwcL6PKMZjOkUKJJqwe3bJWz2tNGTKEgatGzSpTnWLVzG8/CYBp0tI7YZ9IHAnuBIJW1XWK1P//LYQEHuPsdjGFGuxfKPETnyzh\
            cqXuBnxWR3Gx9uQEsJPZ/gedfLmuImfeci77o0NsXpPB/5HwHJfDGMix/PSNgy/TMXpzCHEDo+dD3BErtwmZFJSBnUcvlHV8cCekyT6EC8FSZY\
            ifHHplPhJSROBCQ2cjvDPDhXSmORT3GRKmFx9YmBAfAz8yRluvscM4dqpBE3SA1Vy+01nj/qzn/B6jNpCG+VktLFWmekCa9cPgFpEliTNTpV6I\
            XHDL7aWsP87UXiO25KtT3/SrOsvJXWnqqaJdiko9AU1KcKvYqUm67bu6WsSegABLo92HWqhsZ56uG2qkmx1ZWVv5CdccaXL0Qp2JiJt6TnqPsR\
            284+AxK1l5K8ZXru/Oc37TBo3KlU0DNRfvAJ7XfeRLmkbF9/x+35wdRO9y6AJfCv9EGdsVwSORfT6FPoZ232lPg4G8PsVQ+6IGLgpN5gofkPDP\
            p3iQLjwSd9Y1Yt6ejhsGje40QZws/e9m7FxGMOJ1SGQ3+o7NQgXFLP8M6TAQDK2cYR+2JuUmR4DRBSyzODhPQ8nYNx+An2j9peZ4TK+3xrJi6l\
            l2BcZhy2mGOochSu9bq2y43e6jRz9ltl6xpRMU1wC2NrumFhV0A/qy+M6TmHKTBt6VZ8ykXH+FsQ9XGUiPrdV4CtuWuLcpAm24u+AeJGMWvdg5\
            EMOxPSlfTuQJt8O2eKWUC1zZnCsaDuu5ZprPW6BCBqJZJI059O30GO/KQy+PCQMM5n3GosGbWnxb9RDvPGPWr1FavqQqskusOo+Z4RBXo5q3SA\
            2W+nRARvGo/WDkbvmjh+L72W9vLoh54R74Mh8Q2ICg4Qr/nwxDiMLv1jTPUbFQiR11fIP4fJdjmYKjDTDr50FBiwl3xQQRUoj+pUgLFTIk8uKV\
            GAmY/x53O34dC3EOshLguE+SXWXnfp6bNARbT+kb3jrFAwJjfDNFIp3ElGvhRwm7+NHaDTRRnN2awognJQDoUwBgN0531nHFDTplAKZzbu+Y7O\
            onXe6RN8RWNtzFTTq1yCEokJ4UhMiI4Zrd7RYhwwEE7dZXNzLkYyw68hwSdnL6k7oSHOpYsQenv6+9ALN67vZeCq6G8kTgU8+9CsYalTczg6jt\
            OVYzmX/UDkN1Yhz8lJR8Q2ISpzFVc8SwJ9/oH0f3uNudK7OKwlbG+4Jiar/LWmeJLW51Lr0C1NX8zRD39hwQyC3TKtBWxEaAtqfAfQtjSfnjWe\
            J0YVdJt+e9wBsMEo6FluEPyjcEZJWn4UmtMABzZY8sFziLhigxUAyPWias/cGsaIv3FmgP4zqTgzMkWDNKzBxncyo9AyKZCZNbUw91zz8miS4x\
            BzSUxBJNRrT0O1yAHj0r/QyKKmnvmqlyNNBX8CM51va3PexePX6WPpfGZ1sEoDVT/xtpMfkhOKlURvwmIcfDSXt0Z1vDLaim3pHQNab62/YpMR\
            q3DHd3/70eu7ZbKs0MtKeHO7OtkYAD0PLAfvnMUqiroTH5kMPZTxQ+y5snVYsPNxhP+7Hrx0h8ROuR19VzGIqT76FlpYS3XmdEA3GHIogwPMS9\
            /FOEbJQfbk0yyHBpXd4fHDQ0QQKfNxmE81oE23roo8M82sC3nHn9HU+mJzy53JOhroJ7B3Zd67iNJCREo/d3TYbsLOtv8nRjbkPb+0r+rVGLJw\
            q4iiRbP48u1m7Sa3Dwfv/veizVAjcuD+DjauQLGJLn33xItYUGsX5BvRzgOllTlLbH8GIOchw8caihCzt4unG1b/ewuaS2nHCk6npkkrgIFTrO\
            bixh++em6VEuN+9vQlB6hyaMwIo9SnmgHzTF1mmTjv6Y4CHTHxYcoSQdpc3VeOR0lSuqy1m3vukyJZIngcETEG9wiPqWLk4JdEspimV/yA7qkL\
            dkXCicXqMz/cpqPyxDMvkIYdGflOi423VQXznPez9RcnU5Gp+c7pW+Fk3MI2cJwAWH+IIecoC7oVwp94QkZABkDxmisFmjeFtyy2ObpuU4F7kP\
            XopqALjdaKCFTbTf/0jmCYj6tmGlVoJDHA9IwgHTaK+tECvJ6YkC+ZaYyNbxFAS+K33waWaMqB6cpXJm30j5qSDbr6/Qtm6cfz6kdshZHCs0qX\
            CGKuPApw7HNJ4T/JRv+IN6MCKt0Lc8ksqwqQrXbz8qO+xXCUBmIHHK7IZF1e/r3o+l7mBT2jK1J48NmzmMY8sx2h8RTYl4oPTL7t3HBIa0dJ8L\
            ALxSu02Iozyr7ZeJsEI1C5RGxQVJpwDidw9XN7C+pI6LePyXh9mWOmfoob/dV2aAHSM868cGwsLPqgcKg5bTB9NVsKCLPTFAOVsWfh+jUPwsaQ\
            PYQmvACMJ93w==",
        signature: "AAAADHJzYS1zaGEyLTI1NgAACAAFd3609yyrsRBOKoGyQie7T49DRGmnzcc1IzBo41AW0t5aIFyvezFPPl10QsxKI5syfu2FoIEKhR88Cyx0Kr\
            iqK+l+ucAiU3gu2u2V20S7fh3pNC4zD4Ux83Te1X+LhufhFEvaR8119vOvYTSmVpq0EGKRrioZI0G/WqnJdOplqEFoBchEoj7g0usfQBiS0N9j\
            Dl+A7ddEmN8FPxuOrk+StQaNpnaI5/xuNM/nTT6FQHfG93zOSCoVPkBYvhn08srj8qRearX+UeZgdBnz3tcaaheipyOFvQSNSjVj0/UBEO4ode\
            4845iIHQSb+RU4TK1I9KwfRSVUn8xrjTI2/pn97hj2Ih2WUVSvNbazS5IBdkELLiS3NLWXP5luesKZx1zwhaxA++9IOdLmzXTueQ21W5Hb+jlW\
            2PJcDY8xm6VxgkMP4bnBGsjLN92RoOJktVrTBek5Z1m749wMwx1Ob8XGcUr2uHAfUZQpVIxGZgpryN75JQl1E/okh874oNFqUK8clDNUhNBXfG\
            woEO2yDKtc+LGswpuKGEzf4kE8M658Ta8/+NlOVkEMYSzigJgOnKP9m8B/VhWhDvTrAXDuX147ImEeMQViTa3bn1qhaTAo0lLTUqo13JKdquOp\
            2y+UF85wGivjbMjoiTsjwQG56fUnaQLkBmc0whcdw9miJHa3Vy1sc7u0ITQLin5YBFxih/0EMISaHFMbuWINkljTwZI4n1xwimHgIpb5w6SLoa\
            ZgMC/7rb+QcbJPZD+EPWAvuRM+GqKGmWkdrCaHqHQdih72WQ/Cy4mmGL65qahAZFdg/GgFEGi/mcMxbYrZcI4VMVslJ9vjzJEEYPqE0u3d7b74\
            sLw2TePQwWok2ZJwlCBzRtwjvajaHyht8od/el+oJKS9vlkCDNiQW1uzjq3ddre8fBu4HcVeckPEIZ/2ht0vMTAcsrQczEWkA41cEQ7fBHwM0m\
            j/OWGGXZn1ggUn+lVYkVQj/oUTxKcHSxkVSrLhEq6pgNrM7IZAkmiqqX8gIUDrKO3U5wQ6wogxGJNYIGlubtyjGSGrj5zAUiEX95qPfARTh+7E\
            Une/ilUzuiQdyIjIw1FPWpCD40jFWHvgYttbkOnE1HqPci0PpbDQrXYAw/5aqsWraEhZUB6bHAQqithLiM3g1YPJVjigFG57mIXhUHIv+BLVK/\
            gz8+OjdborGICmSrckfvTl6k6WyRVHVR2BWNdL5inLMelKPIbd1hOjN4PYaHNJ1ydMYp50puac/ZsubzJYMpSHi0XFSULyfTnt6M56nBnweXWN\
            LqSVx5JhCBokIwE9FBOONp7Q0O8bIE8Y0SNJLlukiiZo5LEbqOWaMtpuhuNS2g6XZddMMcixrHiERI9riVnZR/0DSbGYcpAu9ZsWujoKghHRH4\
            coa7w5GhPGAICoP8WM1G/ptkYwaoJkgPhrlhLM3Gf57/dyx8UemKHebGZSxVtD0WS0aB4GqyU7iD5vJeFCS1CmrYo4VyaQJr/eWygIG96hzRBN\
            MqZylqfwcokhX9X5GoOHdlj1i3lzz3FtIX6nIfhchhoCW0Um4eIPZ6p6B9MonzP69mpXYGyAqEE5Y1O9GYT48kubLiuQncX46cDlwowXJXz5Eu\
            aFWRu54xNueBWD0uMqSxUPpVp+pzcQRBmneqBLCwEzYrHCkXBb2QyeSowrX1prkqfhzznIoAafJ8G5+Lkh+d0snXvx8ZRFoP5jOuoYp/YHlBpd\
            RyXJmn/Zvsnggzlo/BNwDMoF3kvdSvottbdpSeJz5Z/KIA+eqV+CYNlRgKnGv8tK6RkihH1Xu8ttPikPUrOvGdsGWzA6yzOdTvlaAY1jWnKYv8\
            2R2NlaXWnt76bbuSj0HzRqPxw6F0PsAxYUSzOw3x8QWyCZ1N+OO8i4g6915Nr90oBt9o1q10Jgvsu/euaXmj2hit0+5jyWLKvkvfQp7njoLiD2\
            svbwMyvGro5MUmRNyCBtn2shRjWuwxEB1LBr5j+ED7Dx+PAmwTDA0FwBoi1z2nE7HqsvUGv4Gd2k6kCFyP7+jBw14fOGVJ7cKUa9IngFPuYFnD\
            cnLsenXQOkQPMC2AssCkOUdRKidokd++bzvVYr1mzZUMX3FHEzhelr9X3SqmBvoh7BtMjjQUpZfaip7cZ6KWQqwHQoFz1DTQSDWkrG+AuiB21U\
            ihR5omlcR0RsZhYTjtaXQ9SZKohqz4uoOgDxt4aLOQKawTicR76vGojVHtKlt30svnfnZJG4iJ9MimkpZFl6b+5r6hTQ9GJGW9baSrS7NKwgDe\
            pXAoR5jkpzzPNoBln/G+54JNpD/wDBBQ/EMPO1LvI5rNLRw6LuBVxsrZRJtYTJq+zg66r0FzjH+GsJG/uDtJ4qUhhKJFDG1v0mKoISKna8YpWV\
            BB/L4IVC7kNDMtl/x3YheNZaBONWNEk2cfGNrz6okf+JxIQtTIatXjX8eQfPVfOklQUU3pHTAhcS99cHazrSSlkraplMrwyJhCKfkNqCkb4n/W\
            R1lV9iYqPQXMJSyUeCd2sd1fCXUSOzLew4jt7Xh7GgKHnavvFuyBw9yEBz+LrlWAwNHp+3mVkrONmX7qtmrHwY2ALYdg0Wufxp5qDcUNZ9GWb4\
            hb7bFp9Rbiw7dtlCYdRgw+hiPADrD6elSRXEjQQbiwpE378USwVy6Ce+eashzCwygyP29Mr8IjVfgLGJp0I31/dk53VsAS4B5EQ9CRZ2U6KiFB\
            uHeLud8g==",
        plain: Some("signed 5"),
    },
    Sample {
        algorithm: "ssh-dss",
        kind: "ssh-dss",
        bits: 1024,
        fingerprint: "SHA256:JKs+EgpUs9cyIRAk3xc60CB76E7KAUlzsQ/LliHvWlc",
        key: "AAAAB3NzaC1kc3MAAACBAMzfE7jzioZHmRi5tk7DCrOhy/bF/sqtU+ZCF249aDcGjYYGFDyNeFk7iw4LmYgHCP3hQLZapTCd5byPVLH5rJUFAF\
            Pi7n1VRqy7tEWKFs6kNWl787E5n0WSSaCrjnnWx6vlOwqP+Yjrx1t2EolXe3rBm1Iy/zDbPG4vkI7PnJczAAAAFQCyekgmTo1dMbItXUxV4gZZ\
            s3ccnwAAAIEAvZ5KcW9WAWTKr7N0PG6/8JjOvg/+E41uHd/QxaonpQ8RdJjGAJp7kbQwn8cniqc+X1af7cggB0VFHJxMkjthhfSZTAwpiqHlhw\
            w8TzFZc+DXk65c4iIbSTvVQnEcZHzhf5MGsg7qqVlqOgRlxkHe1H6bN5jnkcJitGKiTSz71p4AAACBAMBCyj7CXRwmJevz2DV6AB4A/ORGhgEI\
            s77i55CP7FtaK4jQ8P1WWcjzy4Jopxo/rQDZi/tRyBiohYurUuzyOAHw8zPIdKX95upG4mFht3LxTrU7HV009nqTbV2Vf6VCgLc20hN8UYvh50\
            /Z1xQj5A6yg0SWMUF2M6suBxmN3MIh",
        signature: "AAAAB3NzaC1kc3MAAAAocl5QRjcl/X08dB/ifalOmjivfpefoMOhbnWtv7egQV/7pjMqwtIHeA==",
        plain: None,
    },
    Sample {
        algorithm: "sk-ssh-ed25519@openssh.com",
        kind: "sk-ssh-ed25519@openssh.com",
        bits: 256,
        fingerprint: "SHA256:ObiCyb8MrsQpfDMUyKTpHF9IM2kUpQ+DTpKcqYZ5PzA",
        key: "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4AAAADHNzaDpzc2hwcm9iZQ\
            ==",
        signature: "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAQGZwfAuoV/Pwc6XRpoWt+WFgd49Tu0hRhHQg81Rst1N4fY0oRqoNonDb5OMj0yW3XP\
            cNv8xnG3ZQc6/33tqHRQgBAAAABw==",
        plain: None,
    },
    Sample {
        algorithm: "sk-ecdsa-sha2-nistp256@openssh.com",
        kind: "sk-ecdsa-sha2-nistp256@openssh.com",
        bits: 256,
        fingerprint: "SHA256:dmviZvDsqshymXtLBhicCNwFyAxN6wuW8GScQW98TXs",
        key: "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBPnr5GQUfMEC2SMk0JnZJ8GlDkLVegihFv/sCi\
            mBnYxlcLr30SiIkCpqDB1nrdEDEjyFmrab+OlDHJOEkw1Lfu4AAAAMc3NoOnNzaHByb2Jl",
        signature: "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAABJAAAAIQCQtM+GWa1bxvEM4kJMVgZ/zcDNhIJ/MIc2X7eZQVPE2wAAAC\
            AwIcAdZURYHZmgD6ZBXMhh4vIFM/sH83UuWbbrydpzUQUBAgME",
        plain: None,
    },
    Sample {
        algorithm: "ssh-ed25519-cert-v01@openssh.com",
        kind: "ssh-ed25519-cert-v01@openssh.com",
        bits: 256,
        fingerprint: "SHA256:WF26uyDYAkzinLETe5OKnpKdN3KlLQKvgREZPAKe8A4",
        key: "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAINRjK3YXqMmWbdl2bM+iB8Wk94vx4iD1HGe4JHEaIGZ5AAAAIJV3K04ytR\
            BpJ/qQTASdn5BBHXYznAss9XQ/gaEmtw7p//////////8AAAACAAAAC3NhbXBsZSBob3N0AAAAHAAAAAxob3N0LmV4YW1wbGUAAAAIMTAuMC4w\
            LjEAAAAAXgvhAAAAAACDqn6AAAAAAAAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACACY9cXdYHxifmzB2ihFxtOWNhNUjF5aPD9Qd3xkd\
            LePAAAAFMAAAALc3NoLWVkMjU1MTkAAABAWIjkNVaeYGArB/xGkTwRWHb6bHCjpjxamsneGWnoOcJ9IPNcMLe7aSrXeMYWViyfjH8949qP6KLN\
            c7Z1ulTaCg==",
        signature: "AAAAC3NzaC1lZDI1NTE5AAAAQLJMY02sdN/xT2eQqmcEBZNlxkZ4YZSQG/WAr4QeBP9Bt12H4xRiVo5/pT+oh8GW6QlYqAU+AAI099gZgR9Xeg\
            U=",
        plain: None,
    },
    Sample {
        algorithm: "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        kind: "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        bits: 256,
        fingerprint: "SHA256:fXjOzE1xd9K3dNl0KKvGOJD7Io2ULORHoBQwohbpE0A",
        key: "AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAg/ssMFbVU2aFTpQMnoefD2bqkEVzSvqQiWUjNOFt/jXEAAA\
            AIbmlzdHAyNTYAAABBBCuNwbAOK5Ztv+cqV9MWvRvTp5MfbhLVfj5RPEp+TJoyBdIJRp8L25tb1g1sHEColp6dPmjFP8zmZZOvlpm+EbT/////\
            /////wAAAAIAAAALc2FtcGxlIGhvc3QAAAAcAAAADGhvc3QuZXhhbXBsZQAAAAgxMC4wLjAuMQAAAABeC+EAAAAAAIOqfoAAAAAAAAAAAAAAAA\
            AAAABoAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDgem3Cgxcef0sYVQ7KYcysBXs/yeiJoaA57n1kD8X32JMWuTxRX\
            Ee6XxBAe7NweYNb0taOZkWNWAxMkxoEkJigAAABjAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAABIAAAAICPw6tgdueKxWw5zIPwGrrhhXNAYkR\
            7sFbab9+Am4bOIAAAAIG89NbAkkNo9npLHSsUbcMBDfHb265UF5+u4aM4HfE3q",
        signature: "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAABJAAAAIQDIV/lHGIAGm4oThTfVydJvBA0Y9qPtgjTUwelXegOXlQAAACAX17XATBcgKWob/o5sgn\
            qoSDrEYbcg8fSbT7RooSV0UA==",
        plain: None,
    },
    Sample {
        algorithm: "ecdsa-sha2-nistp384-cert-v01@openssh.com",
        kind: "ecdsa-sha2-nistp384-cert-v01@openssh.com",
        bits: 384,
        fingerprint: "SHA256:bGDhqKpnGNKzhGmEp/jjGV5mPdnl0YrbcHInQeHxgTw",
        key: "AAAAKGVjZHNhLXNoYTItbmlzdHAzODQtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgCUXdxQALw1m4CDInE9887hsEP4XI5Oc+MfRlI32cd+IAAA\
            AIbmlzdHAzODQAAABhBJKj28o2U/xBE2JRtxRTV0gXNUUP/ab34FOmZEVSdrClTvJ1Nt4ALmVej1nMwYyZA41FHCJ5XsMmiRXIn7RRLbevk9lx\
            HjFKJhPUA4xnUSrPxRB5L1Uxrz+2ZdeO7ppWGP//////////AAAAAgAAAAtzYW1wbGUgaG9zdAAAABwAAAAMaG9zdC5leGFtcGxlAAAACDEwLj\
            AuMC4xAAAAAF4L4QAAAAAAg6p+gAAAAAAAAAAAAAAAAAAAARcAAAAHc3NoLXJzYQAAAAMBAAEAAAEBAJY9PbipGN6kSAlSbuT3LsNNjr2PQZ20\
            UGyheMTBJJk4oKVdJ/zAjsonIxcGcpxZGbKYGs+dmBeWx35OCLQYa8Cazyp/KmQrZLgKSJ+QbaHMBoK3PS1WG/GtyWu1fsOkZvAvZn1+dTDMlB\
            fHQRDucFVxWWm6SYaA1s+YZ28vHoOFRAV8fMklQuOOh0uxDv9ZaG+q4PFDkuBGCNxfReYDBhal7M1w978bPfidmG8+047LUIwuexURDWO/dyBw\
            H59jTDbTPlzYrb47+Gx7VbHQ5dAK6G5M9DE/X486ymgFXFS2/FDGu3WxBrARAXNVSLT+JO8PBBhqDq/d5Pi4pDAWoC0AAAEUAAAADHJzYS1zaG\
            EyLTUxMgAAAQCGKZNH/CwKTOnWFRLTwSah+Jd5KnmR6MbHMG3XZ/ClHB0G34eTPVx1LJzYu1PKtzexdrq76kVg1aK8Bu6AGBBenoLRvwW2JO0l\
            yq3fdubEhp+aQlbOGpf5cgO2r0EPaDd7RMYLSm8m44jAIrSxDZ4TLHO1Z0J7ZKdZ0ja0RsSfRi+WuOFwx7cLs0C1suyXyrpKPdZpD4QABIdZbY\
            1SN88Woi8RC/ZNxc2fKNRNvdK4O7trKik/b3PXfK8/tk+zel/qwcYgHR1CknjbqbSGiBYGeml43x6f7MOtfWsl7iIxRE+0JbKGsztChnyG7n8+\
            RaTJUuBv6i1JJSP8nSQqxqR6",
        signature: "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAABpAAAAMD9XyL8v46HAZgPFYsS/kOTLh13jnte3K7l+8MJRVZ+i2SX4QlQYWAj79NvlCmkaewAAAD\
            EA439neYzZk7VDTkYLH396HBBHBF00cbqyPMtrrq8OmOWDazUF0JTluH2lK3r+B7NU",
        plain: None,
    },
    Sample {
        algorithm: "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        kind: "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        bits: 521,
        fingerprint: "SHA256:2Ahn9O/Jz3oMKP3U0qrkVp1vnCUYU7ttQkFSnGFqbFc",
        key: "AAAAKGVjZHNhLXNoYTItbmlzdHA1MjEtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgLF+9dwlp8REi11IBaVlhIltqX3W+l4FfazClOhibR2sAAA\
            AIbmlzdHA1MjEAAACFBADSQU9vf5QWYa9Z3QEE8CLp4NMLSn66EhUszmwvzwkAYy8TGu243bpT6n+zUv+JhEB1PLjUV1eKQNeUNAmv78y/4wBK\
            eXlfR+od0n6769mK7SafBy3y3UMH+KkxX8RaaZHMXmrEjRjTYUN4sT3E2apdbclDFNCyQR6Im/D2PVIgbB79q///////////AAAAAgAAAAtzYW\
            1wbGUgaG9zdAAAABwAAAAMaG9zdC5leGFtcGxlAAAACDEwLjAuMC4xAAAAAF4L4QAAAAAAg6p+gAAAAAAAAAAAAAAAAAAAARcAAAAHc3NoLXJz\
            YQAAAAMBAAEAAAEBAJY9PbipGN6kSAlSbuT3LsNNjr2PQZ20UGyheMTBJJk4oKVdJ/zAjsonIxcGcpxZGbKYGs+dmBeWx35OCLQYa8Cazyp/Km\
            QrZLgKSJ+QbaHMBoK3PS1WG/GtyWu1fsOkZvAvZn1+dTDMlBfHQRDucFVxWWm6SYaA1s+YZ28vHoOFRAV8fMklQuOOh0uxDv9ZaG+q4PFDkuBG\
            CNxfReYDBhal7M1w978bPfidmG8+047LUIwuexURDWO/dyBwH59jTDbTPlzYrb47+Gx7VbHQ5dAK6G5M9DE/X486ymgFXFS2/FDGu3WxBrARAX\
            NVSLT+JO8PBBhqDq/d5Pi4pDAWoC0AAAEUAAAADHJzYS1zaGEyLTI1NgAAAQByVHwN7JVbt7E3Zcf5aTgVRb6hdm1uknr3fnCD7vcp3Q8m3H+4\
            eF/46RjPs76nNoWM70VkZ6N1QWEZbpExiuz64kH6/yrsPuVcR1Lg6DCl7yH+VTgbijNSKGfVWahenRMzvK4ENFp+psLpXjcNRIZhAj5pfKg4FM\
            BGGfdyJxntTWK2cS9RiGaqyYP6AiOAWkF5fl6dsUim8q5aoAasplcDePQdc7TYem9hbTn27GS8dXh5HG2OXlEXHQo9YYGMQaDqgaej7eSeXEFO\
            XLdkWDRyXMzpWxNp3p6gg6qtxesMYcK3o5vJcNomSxWtY5lf4wCpXh5vbKj6cTHX9Wv7vmXu",
        signature: "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAACLAAAAQgH24HWk8Jhu99VqcQ++wv/dsEjGVynRjvsonAMPUIJJzVJdpxO+Dvk9QzRCrtPOEbYJsA\
            rrzrzi2JXlquPt/8uingAAAEEl0/kELVVSQl1NvU2xBKfziTY+cyu4NiyohgvY5Hm5/nQhAxh1gCaOZIgc+yrer84zqEG+4AneMLPZAsLT+dgC\
            tA==",
        plain: None,
    },
    Sample {
        algorithm: "rsa-sha2-512-cert-v01@openssh.com",
        kind: "ssh-rsa-cert-v01@openssh.com",
        bits: 2048,
        fingerprint: "SHA256:emodTBaf7PSEew9pVQvCACxKaxS/D6cwtPKUYl+YegE",
        key: "AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgfWMvhcn2jvmMP8uVxKHdQadpkAHUSQUKxVHE1DXu4NEAAAADAQABAAABAQCish\
            6B5d/XQiyvTVPgGmRT57evi6DfHJIJZVkkOQxkiu0avP+Rx/gqX/0k6z/hfslOek+WuGXRPuNI/NhdjkVohw8a0Vmsi90i5hsJXxZBenNmoxqP\
            dD2CZWtViuyKgDtFsVegH25GiBd7OFH2ghl+ZhunAZyGsxPDLRIWcwo4mSc/Ck+Yokex6uXEMzM+gDMHLvoERANZamNchR+KvD6sIl8+RQNyJH\
            EiC8NdBw+FeB9zjE/rqM2F3VDn0fHSVXUxt38wf+0Y6TDMoNl8yMmiodW6OV9n5u2sUWxNef/2UxcSZrfhZ2VFNqRLXx0ibNb0oU5mdpK4P29U\
            QlS1gmAF//////////8AAAACAAAAC3NhbXBsZSBob3N0AAAAHAAAAAxob3N0LmV4YW1wbGUAAAAIMTAuMC4wLjEAAAAAXgvhAAAAAACDqn6AAA\
            AAAAAAAAAAAAAAAAABFwAAAAdzc2gtcnNhAAAAAwEAAQAAAQEAlj09uKkY3qRICVJu5Pcuw02OvY9BnbRQbKF4xMEkmTigpV0n/MCOyicjFwZy\
            nFkZspgaz52YF5bHfk4ItBhrwJrPKn8qZCtkuApIn5BtocwGgrc9LVYb8a3Ja7V+w6Rm8C9mfX51MMyUF8dBEO5wVXFZabpJhoDWz5hnby8eg4\
            VEBXx8ySVC446HS7EO/1lob6rg8UOS4EYI3F9F5gMGFqXszXD3vxs9+J2Ybz7TjstQjC57FRENY793IHAfn2NMNtM+XNitvjv4bHtVsdDl0Aro\
            bkz0MT9fjzrKaAVcVLb8UMa7dbEGsBEBc1VItP4k7w8EGGoOr93k+LikMBagLQAAAQ8AAAAHc3NoLXJzYQAAAQBuqgmKMmPqQBWIRavOsP5aYm\
            XFqjd4qB+5gtlzzkiC4Akf+fIrQAtUh0hbfUCP8bF2ewkO3nZ3trhRsU+6+3A//w8nUksZmgen8wTnKphzh7yrL5fUrCZ+shfKzzElJCKglVjp\
            s/fds3wmIt87A5Aq8XlTECmyQCiDHXmTy1m2YYPGYCdHYsrYXWE2WfFNbJNJMY36f/VFbPiSGq8v71jN+NMX2UvAlerbAV4icTA5vd5uB6T2lj\
            NZroD/HcinNihhdyYEv1uQuRmmxZx+SRqhSA7UKX+IdIgbHFFpjOoyp27FEMfUQBKI1ZLnHPfRKXzshzfgQGN4Gjfqg5R6YNFM",
        signature: "AAAADHJzYS1zaGEyLTUxMgAAAQA09T7vVD2GEcUGHTwkeTvVedSL5p+TQ4UXnairPqedhnwtP9LnNMhmiwZOdy58bOyhf5ADUzINsrc8vc0xLC\
            NPcZfqG+UwDPxHZmdFu0DvAhzh28FNjwrO+tDv4/f41wXud4IIFKyCaRIuV8om3u1qem6RKEjns4GKSxHbvsBp273TKmcz8L/NQY2fa9/4mDdQ\
            6fv1wpY71266FtFts8XQx3+oEff18IAFzjSDjYVY4q0M2ORZN9Gzi1juceuXnZw16hDr5mvNVEBkxm+aRd6LMg25dMoC13noBd7V0d1U+VXjz/\
            NWWC8NdUVhKarQ0kTOOys9MrlsDEMyNlULWmav",
        plain: Some("signed 7"),
    },
    Sample {
        algorithm: "rsa-sha2-256-cert-v01@openssh.com",
        kind: "ssh-rsa-cert-v01@openssh.com",
        bits: 2048,
        fingerprint: "SHA256:emodTBaf7PSEew9pVQvCACxKaxS/D6cwtPKUYl+YegE",
        key: "AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgg7c4K5p1R3avx6Zu9zP100qzDITLMp/0JhtxedUxPgcAAAADAQABAAABAQCish\
            6B5d/XQiyvTVPgGmRT57evi6DfHJIJZVkkOQxkiu0avP+Rx/gqX/0k6z/hfslOek+WuGXRPuNI/NhdjkVohw8a0Vmsi90i5hsJXxZBenNmoxqP\
            dD2CZWtViuyKgDtFsVegH25GiBd7OFH2ghl+ZhunAZyGsxPDLRIWcwo4mSc/Ck+Yokex6uXEMzM+gDMHLvoERANZamNchR+KvD6sIl8+RQNyJH\
            EiC8NdBw+FeB9zjE/rqM2F3VDn0fHSVXUxt38wf+0Y6TDMoNl8yMmiodW6OV9n5u2sUWxNef/2UxcSZrfhZ2VFNqRLXx0ibNb0oU5mdpK4P29U\
            QlS1gmAF//////////8AAAACAAAAC3NhbXBsZSBob3N0AAAAHAAAAAxob3N0LmV4YW1wbGUAAAAIMTAuMC4wLjEAAAAAXgvhAAAAAACDqn6AAA\
            AAAAAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACACY9cXdYHxifmzB2ihFxtOWNhNUjF5aPD9Qd3xkdLePAAAAFMAAAALc3NoLWVkMjU1\
            MTkAAABAliUTKBl4rSTzhscAe6VBNhZZxrrKlCMmYbRKb/1lQVqcX6FwDlHoUqR/+TAp/BrOPq1SomRV91zoekdHtqYmDA==",
        signature: "AAAADHJzYS1zaGEyLTI1NgAAAQBKGG5RpuQ9VfG9/qDXcRtdhlFlAyPhgqAOD6IXBnw0RxExNPiNXEhAP6cU6lvSA2qzn7q3/5MR14eLdQ80Rc\
            oB4Ju4nz/SFHVADQFJlPTRMw/TKIHfQhu5nvbM7TSGrJTKGYgsqrJB7nqcVQdtPxKOvEgc8HFUEFRxIDFV6y3PnGX1MVUFhD9yHwIh/F8yw1rx\
            YxF5AcGHKPTVD/PNIV/6MDuizly6A7giDFPCbMjZ8jXFk1wa1fewRFFExhvcyrG/JZ0ycH+ApiR4xN3w6bwg4hbH+OTO1Wty/E1CYFR9IUfPh4\
            QEMku7n0GEUmZEQEOKOEAH3KWy8ZkHqpvX1Lir",
        plain: Some("signed 8"),
    },
    Sample {
        algorithm: "ssh-rsa-cert-v01@openssh.com",
        kind: "ssh-rsa-cert-v01@openssh.com",
        bits: 2048,
        fingerprint: "SHA256:emodTBaf7PSEew9pVQvCACxKaxS/D6cwtPKUYl+YegE",
        key: "AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgOdllghMuvpQ/2m9wczMkUBDy2oQe8vhBDe7Q880rCU0AAAADAQABAAABAQCish\
            6B5d/XQiyvTVPgGmRT57evi6DfHJIJZVkkOQxkiu0avP+Rx/gqX/0k6z/hfslOek+WuGXRPuNI/NhdjkVohw8a0Vmsi90i5hsJXxZBenNmoxqP\
            dD2CZWtViuyKgDtFsVegH25GiBd7OFH2ghl+ZhunAZyGsxPDLRIWcwo4mSc/Ck+Yokex6uXEMzM+gDMHLvoERANZamNchR+KvD6sIl8+RQNyJH\
            EiC8NdBw+FeB9zjE/rqM2F3VDn0fHSVXUxt38wf+0Y6TDMoNl8yMmiodW6OV9n5u2sUWxNef/2UxcSZrfhZ2VFNqRLXx0ibNb0oU5mdpK4P29U\
            QlS1gmAF//////////8AAAACAAAAC3NhbXBsZSBob3N0AAAAHAAAAAxob3N0LmV4YW1wbGUAAAAIMTAuMC4wLjEAAAAAXgvhAAAAAACDqn6AAA\
            AAAAAAAAAAAAAAAAAAaAAAABNlY2RzYS1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQQ4HptwoMXHn9LGFUOymHMrAV7P8noiaGgOe59Z\
            A/F99iTFrk8UVxHul8QQHuzcHmDW9LWjmZFjVgMTJMaBJCYoAAAAZQAAABNlY2RzYS1zaGEyLW5pc3RwMjU2AAAASgAAACEAgxrDNh1HPoo39u\
            JZtsihlw3IuWUKlrvcCgXJbLXLHJYAAAAhAIJWKTIbT4UBUntPqkujRKosOMwrsgA7Ob724u/TERjQ",
        signature: "AAAAB3NzaC1yc2EAAAEAdU8ZULpeC/CGR7PgQSxpcJ86xP0OAGl4SPHc3nZ0e3+cWvLaNePZXRUNIuu7nx/Ard4K3f0M3qPtfJ7NM5LFIawAne\
            axjoGXTRt3COSLBMVkjRG1fY5gkZWD9OMgNBeSlUY9lxM4TEh85UivpL9n71xJ2/1TtnWm3tmUCtyGt++gF+kdum7oX4hdDsvTES/zMu03srBk\
            /bw/6r2Qpvj9xPOOrJOYmbg4+MeuYCdGXUpeCj6hZjg6USpgJw7dWkRt9wTXqcJxzu/M+A+BzBXHtEJQrWJK6DEaPJX1RfcAcZsQNptwL2cDxL\
            GkR4wbkaBp7SMFFJ+GYCpnpgqPMup2Hg==",
        plain: Some("signed 9"),
    },
    Sample {
        algorithm: "ssh-dss-cert-v01@openssh.com",
        kind: "ssh-dss-cert-v01@openssh.com",
        bits: 1024,
        fingerprint: "SHA256:JKs+EgpUs9cyIRAk3xc60CB76E7KAUlzsQ/LliHvWlc",
        key: "AAAAHHNzaC1kc3MtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgYA5xokDDAoCS4/iMI+b1SsWNJe84wZhua8WvupTQvOkAAACBAMzfE7jzioZHmR\
            i5tk7DCrOhy/bF/sqtU+ZCF249aDcGjYYGFDyNeFk7iw4LmYgHCP3hQLZapTCd5byPVLH5rJUFAFPi7n1VRqy7tEWKFs6kNWl787E5n0WSSaCr\
            jnnWx6vlOwqP+Yjrx1t2EolXe3rBm1Iy/zDbPG4vkI7PnJczAAAAFQCyekgmTo1dMbItXUxV4gZZs3ccnwAAAIEAvZ5KcW9WAWTKr7N0PG6/8J\
            jOvg/+E41uHd/QxaonpQ8RdJjGAJp7kbQwn8cniqc+X1af7cggB0VFHJxMkjthhfSZTAwpiqHlhww8TzFZc+DXk65c4iIbSTvVQnEcZHzhf5MG\
            sg7qqVlqOgRlxkHe1H6bN5jnkcJitGKiTSz71p4AAACBAMBCyj7CXRwmJevz2DV6AB4A/ORGhgEIs77i55CP7FtaK4jQ8P1WWcjzy4Jopxo/rQ\
            DZi/tRyBiohYurUuzyOAHw8zPIdKX95upG4mFht3LxTrU7HV009nqTbV2Vf6VCgLc20hN8UYvh50/Z1xQj5A6yg0SWMUF2M6suBxmN3MIh////\
            //////8AAAACAAAAC3NhbXBsZSBob3N0AAAAHAAAAAxob3N0LmV4YW1wbGUAAAAIMTAuMC4wLjEAAAAAXgvhAAAAAACDqn6AAAAAAAAAAAAAAA\
            AAAAABsgAAAAdzc2gtZHNzAAAAgQC6wz3iiOXjg8WtUmUPIUEgekXJmHpnosb7FNGSrZnuGsxaeL354CCMPecWFbNjJuLNHeuyYaWoz70yAYBX\
            efZJvsIQ/7TTyGfJRwA87tW8zmQqxRjXFtgV3aZ4WIchCqK3wnLfiLAjVDjHPfoS1KebL7phlZsjzcxPvIfsZ2C/cQAAABUAg6KUVknd5F3pq0\
            zR3l3Ol8C8d+MAAACASBtc8Ywzj1BbdJHzRQwC0TA1muw/k7PkfzKkx1m9RMXY4KM1zmdF4mR/hxxyscrckAJ/4qg7OXhCY6bWYBksWm5NGPLN\
            fDct5qz1ZmCyU8rS0DEU8XLGHHedtgz+sMvOokKp2h21nNKFaZlddQXPCymuUF+w+ISurSQIa/tRtl8AAACBAIZJEJeR3rJbvP0p4YEp5l2EO1\
            dZ4/79OMrAGayh+zlVVjdK8TKb+xgjf2jUo+N80AsAwuczqDsitdMXE5V03YZ+Ny03XHY3UdZtxpu93wC7PRJlugt0M5rNfgxyUWBTkF0lVT2y\
            /gNEGLnoH11zkkaCytyq4XkSWrjE70J8IYguAAAANwAAAAdzc2gtZHNzAAAAKEdVvOa3IxMu8Op86sb6KEH5ikNUGrqkrrdBNpnc4Y2tQ9MrQ6\
            k8pmk=",
        signature: "AAAAB3NzaC1kc3MAAAAoS9kGmW3Wm1unVnfGnOwF7jKPgSNx9pO/wWwOsZakJF5x8DhowmY6IA==",
        plain: None,
    },
    Sample {
        algorithm: "sk-ssh-ed25519-cert-v01@openssh.com",
        kind: "sk-ssh-ed25519-cert-v01@openssh.com",
        bits: 256,
        fingerprint: "SHA256:ObiCyb8MrsQpfDMUyKTpHF9IM2kUpQ+DTpKcqYZ5PzA",
        key: "AAAAI3NrLXNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIN6ws7xGBoBzgEAUEkoXhTNBKVyxQ8XtERSkdjX9WjfJAAAAIAOhB7\
            /zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4AAAADHNzaDpzc2hwcm9iZf//////////AAAAAgAAAAtzYW1wbGUgaG9zdAAAABwAAAAMaG9z\
            dC5leGFtcGxlAAAACDEwLjAuMC4xAAAAAF4L4QAAAAAAg6p+gAAAAAAAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgAmPXF3WB8Yn5sw\
            dooRcbTljYTVIxeWjw/UHd8ZHS3jwAAABTAAAAC3NzaC1lZDI1NTE5AAAAQJNOn3aBcOO6sB6a08H0hS0viHptjOuRGWNfJTxHW0tOPmZpDfRH\
            XRTqGEOydpxmvYj9OCjt4CXaBi/TSjakSQo=",
        signature: "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAQGZwfAuoV/Pwc6XRpoWt+WFgd49Tu0hRhHQg81Rst1N4fY0oRqoNonDb5OMj0yW3XP\
            cNv8xnG3ZQc6/33tqHRQgBAAAABw==",
        plain: None,
    },
    Sample {
        algorithm: "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        kind: "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        bits: 256,
        fingerprint: "SHA256:dmviZvDsqshymXtLBhicCNwFyAxN6wuW8GScQW98TXs",
        key: "AAAAK3NrLWVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgGeLF5ne12cxoCd8EbB0FK4SHRCkHSb4McHwNhmITb7\
            0AAAAIbmlzdHAyNTYAAABBBPnr5GQUfMEC2SMk0JnZJ8GlDkLVegihFv/sCimBnYxlcLr30SiIkCpqDB1nrdEDEjyFmrab+OlDHJOEkw1Lfu4A\
            AAAMc3NoOnNzaHByb2Jl//////////8AAAACAAAAC3NhbXBsZSBob3N0AAAAHAAAAAxob3N0LmV4YW1wbGUAAAAIMTAuMC4wLjEAAAAAXgvhAA\
            AAAACDqn6AAAAAAAAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACACY9cXdYHxifmzB2ihFxtOWNhNUjF5aPD9Qd3xkdLePAAAAFMAAAAL\
            c3NoLWVkMjU1MTkAAABAkxXYMbK7mB1dL6T04e5i6gckdre8BAa6K5vEPAwFMAd0WcSUb6pX7d1TPNIvo8xtLKyL4XFNOrGgtzkThFz+AQ==",
        signature: "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAABKAAAAIQDNHU/KngTgQ4M+m/IvC/7dryDuHdz2hxGY71eRIPoMiwAAAC\
            EAtskKxQ8PogulALqC9Y9zPbTBi61CdHexidVwOBjdNPwFAQIDBA==",
        plain: None,
    },
];
