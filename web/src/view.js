/** What people see. */
export class View {
  /** @param {Document} document @param {import('./client.js').Client} client */
  constructor(document, client) {
    this.document = document;
    this.client = client;
  }
  show() {}
}
