/** Options of TLS, SASL and delegation tokens. */
import { bool, className, int, list, long, password, string } from '../option.ts';

const PER_BROKER = { mode: 'per-broker', inert: 'later' } as const;

export const securityOptions = {
  'sasl.enabled.mechanisms': list(
    { ...PER_BROKER, default: 'GSSAPI', mayBeEmpty: true },
    'SASL mechanisms that clients may use: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER.',
  ),
  'sasl.mechanism.inter.broker.protocol': string(
    { ...PER_BROKER, default: 'GSSAPI' },
    'SASL mechanism between brokers.',
  ),
  'sasl.mechanism.controller.protocol': string(
    { default: 'GSSAPI', inert: 'later' },
    'SASL mechanism towards controllers.',
  ),
  'sasl.jaas.config': password(PER_BROKER, 'Users and passwords of a SASL mechanism, in the syntax of JAAS.'),
  'sasl.server.callback.handler.class': className(
    { default: null, inert: 'never' },
    'Java class that checks credentials.',
  ),
  'sasl.client.callback.handler.class': className(
    { default: null, inert: 'never' },
    'Java class that supplies credentials.',
  ),
  'sasl.login.callback.handler.class': className({ default: null, inert: 'never' }, 'Java class that logs in.'),
  'sasl.login.class': className({ default: null, inert: 'never' }, 'Java class that logs in.'),
  'sasl.server.max.receive.size': int({ default: 524288, inert: 'later' }, 'Largest token of a SASL exchange.'),
  'principal.builder.class': className(
    {
      default: 'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder',
      mode: 'per-broker',
      inert: 'never',
    },
    'Java class that names the user of a connection.',
  ),
  'security.providers': string({ default: null, inert: 'never' }, 'Java security providers.'),

  'ssl.client.auth': string(
    { ...PER_BROKER, default: 'none', allowed: ['required', 'requested', 'none'] },
    'Whether clients must show a certificate.',
  ),
  'ssl.keystore.type': string({ ...PER_BROKER, default: 'JKS' }, 'Form of the key store: PEM or PKCS12.'),
  'ssl.keystore.location': string(
    { ...PER_BROKER, default: null },
    'File with the certificate and key of this broker.',
  ),
  'ssl.keystore.password': password(PER_BROKER, 'Password of that file.'),
  'ssl.keystore.key': password(PER_BROKER, 'Private key in PEM form.'),
  'ssl.keystore.certificate.chain': password(PER_BROKER, 'Certificate chain in PEM form.'),
  'ssl.key.password': password(PER_BROKER, 'Password of the private key.'),
  'ssl.truststore.type': string({ ...PER_BROKER, default: 'JKS' }, 'Form of the trust store: PEM or PKCS12.'),
  'ssl.truststore.location': string({ ...PER_BROKER, default: null }, 'File with the certificates that are trusted.'),
  'ssl.truststore.password': password(PER_BROKER, 'Password of that file.'),
  'ssl.truststore.certificates': password(PER_BROKER, 'Trusted certificates in PEM form.'),
  'ssl.protocol': string({ ...PER_BROKER, default: 'TLSv1.3' }, 'Preferred version of TLS.'),
  'ssl.enabled.protocols': list(
    { ...PER_BROKER, default: 'TLSv1.2,TLSv1.3', mayBeEmpty: true },
    'Versions of TLS that are served.',
  ),
  'ssl.cipher.suites': list(
    { ...PER_BROKER, default: '', mayBeEmpty: true },
    'Cipher suites that are served; empty for the usual.',
  ),
  'ssl.endpoint.identification.algorithm': string(
    { ...PER_BROKER, default: 'https' },
    'Whether brokers check host names in certificates; empty for no.',
  ),
  'ssl.principal.mapping.rules': string(
    { default: 'DEFAULT', inert: 'later' },
    'How a certificate name becomes a user name.',
  ),
  'ssl.allow.dn.changes': bool({ default: false, inert: 'later' }, 'Whether a new certificate may have another name.'),
  'ssl.allow.san.changes': bool({ default: false, inert: 'later' }, 'Whether a new certificate may drop host names.'),
  'ssl.provider': string({ default: null, mode: 'per-broker', inert: 'never' }, 'Java provider of TLS.'),
  'ssl.keymanager.algorithm': string({ default: 'SunX509', mode: 'per-broker', inert: 'never' }, 'Java key manager.'),
  'ssl.trustmanager.algorithm': string({ default: 'PKIX', mode: 'per-broker', inert: 'never' }, 'Java trust manager.'),
  'ssl.secure.random.implementation': string(
    { default: null, mode: 'per-broker', inert: 'never' },
    'Java source of random numbers.',
  ),
  'ssl.engine.factory.class': className(
    { default: null, mode: 'per-broker', inert: 'never' },
    'Java class that makes TLS engines.',
  ),

  'delegation.token.secret.key': password(
    { inert: 'later' },
    'Key that signs delegation tokens, the same on all brokers.',
  ),
  'delegation.token.max.lifetime.ms': long({ default: 604800000, min: 1, inert: 'later' }, 'Longest life of a token.'),
  'delegation.token.expiry.time.ms': long(
    { default: 86400000, min: 1, inert: 'later' },
    'Life of a token until it is renewed.',
  ),
  'delegation.token.expiry.check.interval.ms': long(
    { default: 3600000, min: 1, inert: 'later' },
    'Pace of dropping expired tokens.',
  ),
} as const;
