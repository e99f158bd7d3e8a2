/** What is around every successful answer. */
export function success<Data>(data: Data): { code: 200; message: 'success'; data: Data } {
  return { code: 200, message: 'success', data };
}
