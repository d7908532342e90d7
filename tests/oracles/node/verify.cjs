// Verify Sigstore bundles with Sigstore's own JavaScript. On stdin: "key" (PEM) or "root" (a trusted root), and "asked":
// [{"bundle": JSON text, "identity", "issuer"}, ...], the last two with a root only; on stdout: [null where it verified, else
// the error's message, ...]. The folder with node_modules is the first argument.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { createPublicKey } = require("node:crypto");

const load = createRequire(process.argv[2] + "/");
const { bundleFromJSON } = load("@sigstore/bundle");
const { Verifier, toSignedEntity, toTrustMaterial } = load("@sigstore/verify");
const { TrustedRoot } = load("@sigstore/protobuf-specs");

const { key, root, asked } = JSON.parse(readFileSync(0, "utf8"));
const nothing = { tlogs: [], ctlogs: [], certificateAuthorities: [], timestampAuthorities: [] };
const keys = key && (() => ({ publicKey: createPublicKey(key), validFor: () => true }));
const trust = toTrustMaterial(TrustedRoot.fromJSON(root ?? nothing), keys);
const wanted = key ? 0 : 1;
const verifier = new Verifier(trust, { ctlogThreshold: wanted, tlogThreshold: wanted, timestampThreshold: wanted });

const verdicts = asked.map(({ bundle, identity, issuer }) => {
  try {
    const policy = key ? undefined : { subjectAlternativeName: identity, extensions: { issuer } };
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(bundle))), policy);
    return null;
  } catch (error) {
    return `${error.code ?? error.name}: ${error.message}`;
  }
});
process.stdout.write(JSON.stringify(verdicts));
