// Verify key-mode Sigstore bundles with Sigstore's own JavaScript. On stdin: {"key": PEM, "bundles": [JSON text, ...]};
// on stdout: [null where it verified, else the error's message, ...]. The folder with node_modules is the first argument.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { createPublicKey } = require("node:crypto");

const load = createRequire(process.argv[2] + "/");
const { bundleFromJSON } = load("@sigstore/bundle");
const { Verifier, toSignedEntity, toTrustMaterial } = load("@sigstore/verify");
const { TrustedRoot } = load("@sigstore/protobuf-specs");

const { key, bundles } = JSON.parse(readFileSync(0, "utf8"));
const root = TrustedRoot.fromJSON({ tlogs: [], ctlogs: [], certificateAuthorities: [], timestampAuthorities: [] });
const trust = toTrustMaterial(root, () => ({ publicKey: createPublicKey(key), validFor: () => true }));
const verifier = new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });

const verdicts = bundles.map((text) => {
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(text))));
    return null;
  } catch (error) {
    return `${error.code ?? error.name}: ${error.message}`;
  }
});
process.stdout.write(JSON.stringify(verdicts));
