/** A real browser download of the finished file. */

/** @param {{url: string, name: string}} address */
export function download({ url, name }) {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.hidden = true;
  document.body.append(link);
  link.click();
  link.remove();
}
