'use strict';

/**
 * The nodes' network, which no machine but this one sees. Clusters that run at the same time have different numbers.
 */
class Network {
  constructor(number) {
    this.prefix = `10.77.${number}`;
  }

  /** Of a node, by its number from 1 on. */
  node(number) {
    return `${this.prefix}.${number}`;
  }

  /** The API server's, which is the first node's. */
  get api() {
    return this.node(1);
  }

  get services() {
    return `${this.prefix}.128/26`;
  }

  /** The API server's as a service, which is the first of them. */
  get apiService() {
    return `${this.prefix}.129`;
  }

  /** This machine's own. */
  get outside() {
    return `${this.prefix}.254`;
  }
}

module.exports = { Network };
